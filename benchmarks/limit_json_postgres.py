"""The statements of the limit that builds its JSON in PostgreSQL: the text that they return is the answer.

row_to_json and string_agg write neither the spaces of json_build_object nor those of json_agg; as fast.
"""


def _id(type_name: str, key: str) -> str:
    return f"encode(('{type_name}:' || {key}::text)::bytea, 'base64')"


def _moment(column: str) -> str:
    """As the API writes moments: whole seconds without a fraction, others with six digits."""
    form = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
    return f"replace(to_char({column} AT TIME ZONE 'UTC', {form}), '.000000Z', 'Z')"


def _objects(rows: str) -> str:
    return f"SELECT coalesce(string_agg(row_to_json(o)::text, ','), '') FROM ({rows}) AS o"


def _nodes(rows: str) -> str:
    return f"""SELECT '{{"data":{{"customers":{{"nodes":[' || ({_objects(rows)}) || ']}}}}}}'"""


_FIRST_50 = "(SELECT * FROM crm_customer WHERE merged_into_id IS NULL ORDER BY sort_name, id LIMIT 50) AS c"

ONE = f"""
SELECT '{{"data":{{"customer":' || row_to_json(o)::text || '}}}}'
  FROM (SELECT {_id("Customer", "id")} AS id, name, email, phone, city, stage
          FROM crm_customer WHERE id = $1 AND merged_into_id IS NULL) AS o
"""

PAGE = _nodes(
    f"SELECT {_id('Customer', 'id')} AS id, name, email, phone, company, city, country, stage,"
    f' {_moment("created_at")} AS "createdAt", {_moment("updated_at")} AS "updatedAt" FROM {_FIRST_50}'
)

_LATEST_5 = _objects(
    f"SELECT {_id('Interaction', 'id')} AS id, kind, subject,"
    f' {_moment("occurred_at")} AS "occurredAt" FROM crm_interaction WHERE customer_id = c.id'
    " ORDER BY occurred_at DESC, crm_interaction.id DESC LIMIT 5"
)
# by concatenation: a list within an object would be parsed again for row_to_json
NESTED = f"""
SELECT '{{"data":{{"customers":{{"nodes":[' || coalesce(string_agg(
       '{{"id":"' || {_id("Customer", "id")} || '","name":' || to_json(name)
       || ',"interactions":{{"nodes":[' || ({_LATEST_5}) || ']}}}}', ','), '') || ']}}}}}}'
  FROM {_FIRST_50}
"""

SEARCH = _nodes(f"""
SELECT {_id("Customer", "c.id")} AS id, name, email, city FROM crm_customer AS c
 WHERE to_tsvector('simple', search_text) @@ to_tsquery('simple', $1) AND stage = 'CUSTOMER'
   AND city >= $2 AND city < $3 AND merged_into_id IS NULL
 ORDER BY sort_name, c.id LIMIT 20
""")

STATEMENTS = {"one": ONE, "page": PAGE, "nested": NESTED, "search": SEARCH}
