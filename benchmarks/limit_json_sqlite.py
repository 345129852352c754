"""The statements of the limit that builds its JSON in SQLite: the text that they return is the answer.

SQLite has no base64; `customer_id` and `interaction_id` are functions of this program.
"""


def _moment(column: str) -> str:
    """As the API writes moments: whole seconds without a fraction, others with six digits."""
    return f"replace(replace(replace({column}, ' ', 'T'), '+00:00', 'Z'), '.000000Z', 'Z')"


def _nodes(members: str, rows: str) -> str:
    return (
        "SELECT json_object('data', json_object('customers', json_object('nodes',"
        f" json_group_array(json_object({members}))))) FROM ({rows}) AS c"
    )


ONE = """
SELECT json_object('data', json_object('customer', json_object(
       'id', customer_id(id), 'name', name, 'email', email, 'phone', phone, 'city', city, 'stage', stage)))
  FROM crm_customer WHERE id = ? AND merged_into_id IS NULL
"""

# The + keeps SQLite from going by the index of merged_into_id, which almost all customers share
_FIRST_50 = "SELECT {} FROM crm_customer WHERE +merged_into_id IS NULL ORDER BY sort_name, id LIMIT 50"

PAGE = _nodes(
    "'id', customer_id(id), 'name', name, 'email', email, 'phone', phone, 'company', company,"
    " 'city', city, 'country', country, 'stage', stage,"
    f" 'createdAt', {_moment('created_at')}, 'updatedAt', {_moment('updated_at')}",
    _FIRST_50.format("id, name, email, phone, company, city, country, stage, created_at, updated_at"),
)

_LATEST_5 = f"""
SELECT json_group_array(json_object('id', interaction_id(id), 'kind', kind, 'subject', subject,
       'occurredAt', {_moment("occurred_at")}))
  FROM (SELECT id, kind, subject, occurred_at FROM crm_interaction WHERE customer_id = c.id
         ORDER BY occurred_at DESC, id DESC LIMIT 5)
"""
NESTED = _nodes(
    f"'id', customer_id(id), 'name', name, 'interactions', json_object('nodes', json(({_LATEST_5})))",
    _FIRST_50.format("id, name"),
)

# CROSS JOIN keeps this order: the words first, which are the rarest
SEARCH = _nodes(
    "'id', customer_id(id), 'name', name, 'email', email, 'city', city",
    """
SELECT c.id, c.name, c.email, c.city
  FROM crm_customer_search AS s
 CROSS JOIN crm_customer_search_key AS k ON k.number = s.rowid
 CROSS JOIN crm_customer AS c ON c.id = k.customer_id
 WHERE crm_customer_search MATCH ? AND c.stage = 'CUSTOMER' AND c.city >= ? AND c.city < ?
   AND c.merged_into_id IS NULL
 ORDER BY c.sort_name, c.id LIMIT 20
""",
)

STATEMENTS = {"one": ONE, "page": PAGE, "nested": NESTED, "search": SEARCH}
