"""Lets lists be ordered by what the core does not order by."""

from crm_framework import INTERNAL, OrderField, Plugin, SchemaParts, hookimpl

plugin = Plugin(name="with_orders", requires_api="1.0", summary="Orders by the last contact.")

LAST_CONTACT = OrderField(
    "LAST_CONTACT",
    "datetime",
    "By the last interaction; customers without one have no value.",
    sql="(SELECT MAX(i.occurred_at) FROM crm_interaction AS i WHERE i.customer_id = t.id)",
    permission="interactions.read",
)
CONTACTS = OrderField(
    "CONTACTS",
    "int",
    "By the number of interactions.",
    sql="(SELECT COUNT(*) FROM crm_interaction AS i WHERE i.customer_id = t.id)",
    nullable=False,
    permission="interactions.read",
)
COMPANY = OrderField("COMPANY", "string", "By company.", column="company", nullable=True)
OUTCOME = OrderField("OUTCOME", "string", "By outcome.", column="outcome", nullable=True, permission=INTERNAL)


@hookimpl
def schema() -> SchemaParts:
    return SchemaParts(
        orders={"CustomerOrder": [LAST_CONTACT, CONTACTS, COMPANY], "InteractionOrder": [OUTCOME]}
    )
