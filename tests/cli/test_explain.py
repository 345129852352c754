import json
import re

from .conftest import Crm

NESTED = (
    "query ($n: Int) { customers(first: $n) { nodes { name interactions(first: 2) { nodes { kind } } } }"
    " __typename }"
)
REMOVED = 'mutation { deleteSegment(input: {id: "x"}) { errors { message } } }'


def test_levels_and_statements_are_shown(crm_command: Crm, database_kind: str) -> None:
    crm_command("demo")
    ran = crm_command(
        "explain",
        NESTED,
        "--variables",
        '{"n": 2}',
        "--database-plan",
    )
    assert ran.code == 0, ran.errors
    lines = ran.output.splitlines()
    assert lines[0].startswith("customers  Query.customers  pages  1 object  ")
    assert "2 rows" in lines[1]
    assert "FROM crm_customer AS t" in ran.output
    assert any(word in ran.output for word in ("SCAN t USING INDEX", "Scan"))
    levels = [line for line in lines if "  pages  " in line]
    if database_kind == "sqlite":
        assert len(levels) == 2
        assert levels[1].startswith(
            "    customers.nodes.interactions  Customer.interactions  pages  2 objects"
        )
    else:  # the statement of the page writes its short lists
        assert len(levels) == 1
        assert "FROM crm_interaction AS t" in ran.output


def test_a_statement_is_one_line(crm_command: Crm) -> None:
    crm_command("demo")
    lines = crm_command("explain", "{ customers(first: 2) { nodes { mergedIds } } }").output.splitlines()
    assert [line.split()[0] for line in lines] == ["customers", "2", "customers.nodes.mergedIds", "0"]
    assert "0 ms: WITH RECURSIVE merged (winner, id) AS ( SELECT c.merged_into_id, c.id FROM" in re.sub(
        r"\d\.\d ms", "0 ms", lines[3]
    )


def test_what_graphql_core_ran_says_why(crm_command: Crm) -> None:
    ran = crm_command("explain", "{ __schema { queryType { name } } }", "--json")
    [step] = json.loads(ran.output)
    assert (step["place"], step["how"], step["why"]) == ("__schema", "graphql-core", "introspection")


def test_what_cannot_be_explained_is_told(crm_command: Crm) -> None:
    for arguments, fault in (
        (("{ nothing }",), "Error: Cannot query field 'nothing' on type 'Query'"),
        (
            ('mutation { deleteSegment(input: {id: "x"}) { errors { message } } }',),
            "Error: a mutation cannot run here",
        ),
        (("{ __typename }", "--variables", "["), "Error: --variables is no JSON"),
        (("{ __typename }", "--variables", "[]"), "Error: --variables must be a JSON object"),
        (("@nowhere.graphql",), "Error: nowhere.graphql cannot be read"),
    ):
        ran = crm_command("explain", *arguments)
        assert ran.code == 1
        assert fault in ran.errors
