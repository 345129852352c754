"""PostGraphile 5, with the preset that it recommends, over the tables as they are.

Its page does not leave out customers that were merged into others; there are none. A write is one row, and
the client gives the columns that the product works out. A search is a function of the database.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.limit_answers import beyond, key_of
from benchmarks.peers import Peer, environment_of, run_sql
from benchmarks.servers import Server, running
from benchmarks.workloads import Variables
from crm_framework.domain.values.text import fold, words
from crm_framework.storage.ids import new_id

NAME = "PostGraphile"
PACKAGES = ("postgraphile@5.1.5", "node@22")
"""The program too: PostGraphile 5 wants a newer one than many systems have."""

HERE = Path(__file__).resolve().parent

SEARCH = """
CREATE SCHEMA IF NOT EXISTS bench_peer;
CREATE OR REPLACE FUNCTION bench_peer.search_customers(search text, city text, beyond text)
RETURNS SETOF public.crm_customer LANGUAGE sql STABLE AS $$
  SELECT * FROM public.crm_customer AS c
   WHERE to_tsvector('simple', c.search_text) @@ to_tsquery('simple', search) AND c.stage = 'CUSTOMER'
     AND c.city >= search_customers.city AND c.city < beyond AND c.merged_into_id IS NULL
   ORDER BY c.sort_name, c.id
$$;
"""

_BY_NAME = "customers: allCrmCustomers(first: 50, orderBy: [SORT_NAME_ASC])"
QUERIES = {
    "one": "query One($id: UUID!) {"
    " customer: crmCustomerByRowId(rowId: $id) { id: rowId name email phone city stage } }",
    "page": f"query Page {{ {_BY_NAME} {{ nodes {{"
    " id: rowId name email phone company city country stage createdAt updatedAt } } }",
    "nested": f"query Nested {{ {_BY_NAME} {{ nodes {{ id: rowId name"
    " interactions: crmInteractionsByCustomerId(first: 5, orderBy: [OCCURRED_AT_DESC, ROW_ID_DESC]) {"
    " nodes { id: rowId kind subject occurredAt } } } } }",
    "search": "query Search($search: String!, $city: String!, $beyond: String!) {"
    " customers: benchPeerSearchCustomers(first: 20, search: $search, city: $city, beyond: $beyond) {"
    " nodes { id: rowId name email city } } }",
    "create": "mutation Create($row: CrmCustomerInput!) {"
    " createCrmCustomer(input: {crmCustomer: $row}) { crmCustomer { id: rowId name } } }",
    "log": "mutation Log($row: CrmInteractionInput!) {"
    " createCrmInteraction(input: {crmInteraction: $row}) { crmInteraction { id: rowId subject } } }",
}


def variables(workload: str, given: Variables) -> Variables:
    now = datetime.now(UTC).isoformat()
    if workload == "one":
        return {"id": key_of(given["id"])}
    if workload == "search":
        wanted = " & ".join(f"'{word}':*" for word in words(given["search"]))
        return {"search": wanted, "city": given["city"], "beyond": beyond(given["city"])}
    if workload == "create":
        name, email = given["name"], given["email"]
        return {
            "row": {
                "rowId": new_id(),
                "kind": "PERSON",
                "stage": "PROSPECT",
                "name": name,
                "sortName": fold(name),
                "email": email,
                "attributes": {},
                "searchText": " ".join(dict.fromkeys([*words(name), *words(email)])),
                "createdAt": now,
                "updatedAt": now,
            }
        }
    if workload == "log":
        return {
            "row": {
                "rowId": new_id(),
                "customerId": key_of(given["id"]),
                "kind": "call",
                "channel": "phone",
                "direction": "INBOUND",
                "subject": given["subject"],
                "occurredAt": now,
                "createdAt": now,
            }
        }
    return given


@contextmanager
def serve(url: str) -> Iterator[Server]:
    run_sql(url, SEARCH)
    folder = environment_of("postgraphile")
    # beside its packages, where node looks for them
    script = folder / "server.mjs"
    script.write_bytes((HERE / "server.mjs").read_bytes())
    settings = {"PEER_DATABASE_URL": url, "NODE_ENV": "production", "GRAPHILE_ENV": "production"}
    node = str(folder / "node_modules/.bin/node")
    with running([str(script)], url, program=node, variables=settings) as server:
        yield server


PEER = Peer(NAME, "/graphql", QUERIES, variables, ("postgres",), serve)
