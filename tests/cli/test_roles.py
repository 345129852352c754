"""`crm roles`: made, given, changed and taken away, by name, by key and by the API's id."""

from crm_framework.engine.ids import encode_id

from .conftest import Crm
from .office import made, rows

ALL = "SELECT name, permissions, scope, segment_id, description FROM crm_role ORDER BY name"


def segment(url: str) -> str:
    return made(url, "crm_segment", name="Berlin", condition='{"city": {"eq": "Berlin"}}')


def test_a_role_from_its_making_to_its_end(crm_command: Crm, database_url: str) -> None:
    assert crm_command("roles", "list").output.startswith("There is no role.")
    created = crm_command(
        *("roles", "create", "Sales", "--permission", "customers.read"),
        *("--permission", "customers.write", "--scope", "own", "--description", "Who sells."),
    )
    key = created.output.split()[1]
    assert created.output == f"Role {key} (Sales).\n"
    staff = made(database_url, "crm_staff", name="Grace")
    assert crm_command("roles", "set", staff, "Sales").output == "They have: Sales.\n"
    listed = crm_command("roles", "list").output.splitlines()
    assert listed[1].split() == [key, "Sales", "own", "1", "customers.read", "customers.write"]
    for name in ("Sales", key, encode_id("Role", key)):
        assert crm_command("roles", "show", name).output.splitlines() == [
            f"Sales ({key})",
            "Who sells.",
            "scope: own",
            "permissions:",
            "  customers.read",
            "  customers.write",
            "staff:",
            f"  {staff}  Grace",
        ]
    refused = crm_command("roles", "delete", "Sales")
    assert (refused.code, refused.output) == (1, "")
    assert "1 members of staff have the role 'Sales' (at id)." in refused.errors
    told = crm_command("roles", "set", encode_id("Staff", staff)).output
    assert told == "They have no role now, and may do nothing.\n"
    assert crm_command("roles", "delete", "Sales").output == "Deleted.\n"
    assert rows(database_url, ALL) == []


def test_a_change_leaves_the_rest(crm_command: Crm, database_url: str) -> None:
    key = segment(database_url)
    create = ("roles", "create", "Berlin", "--permission", "customers.read", "--segment")
    assert crm_command(*create, encode_id("Segment", key)).code == 0
    (row,) = rows(database_url, ALL)
    assert (row["scope"], str(row["segment_id"])) == ("SEGMENT", key)
    changed = crm_command("roles", "change", "Berlin", "--permission", "interactions.read")
    assert changed.output == f"Berlin: segment {key}: interactions.read\n"
    changed = crm_command("roles", "change", "Berlin", "--scope", "everything", "--name", "Everybody")
    assert changed.output == "Everybody: everything: interactions.read\n"
    (row,) = rows(database_url, ALL)
    assert (row["scope"], row["segment_id"]) == ("EVERYTHING", None)


def test_a_wrong_call_says_what_to_do_and_changes_nothing(crm_command: Crm, database_url: str) -> None:
    assert crm_command("roles", "create", "Sales", "--permission", "customers.read").code == 0
    before = rows(database_url, ALL)
    create = ("create", "Other", "--permission")
    for arguments, fault in (
        (("show", "Sale"), "There is no role 'Sale'. Did you mean 'Sales'?"),
        (("create", "Sales", "--permission", "customers.read"), "There is a role 'Sales' already (at name)."),
        ((*create, "customer.read"), "Did you mean 'customers.read'?"),
        ((*create, "customers.read", "--segment", "nonsense"), "There is no such segment (at segment)."),
        ((*create, "customers.read", "--scope", "segment"), "names a segment"),
        (("change", "Sales", "--permission", "nonsense"), "nonsense"),
        (("set", "nonsense", "Sales"), "There is no such member of staff (at staff)."),
    ):
        ran = crm_command("roles", *arguments)
        assert (ran.code, ran.output) == (1, ""), arguments
        assert fault in ran.errors
    assert rows(database_url, ALL) == before
