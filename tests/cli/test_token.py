import os
import subprocess
import sys
from pathlib import Path

from crm_framework.domain.customers.changes import create_customer
from crm_framework.domain.customers.draft import NewCustomer
from crm_framework.engine.ids import encode_id

from .conftest import Crm
from .office import in_database, made, rows


def test_a_token_is_shown_once_and_listed_without_it(crm_command: Crm) -> None:
    made = crm_command(
        "token", "create", "shop", "--permission", "customers.read", "--expires", "30d", "--quiet"
    )
    secret = made.output.strip()
    assert secret.startswith("crm_")
    listed = crm_command("token", "list").output
    assert secret not in listed
    assert "customers.read" in listed
    assert "valid until" in listed.replace("\n", " ")


def test_a_revoked_token_says_so(crm_command: Crm) -> None:
    made = crm_command("token", "create", "shop", "--admin").output
    key = made.split()[1]
    assert crm_command("token", "revoke", key).output == "Revoked.\n"
    assert crm_command("token", "revoke", key).output == "It had been revoked before.\n"


def test_a_wrong_call_says_what_to_do(crm_command: Crm) -> None:
    for arguments, fault in (
        (("create", "x"), "The token would open nothing. Add --permission NAME, or --admin."),
        (("create", "x", "--admin", "--expires", "soon"), "--expires 'soon' is no time."),
        (("create", "x", "--permission", "customer.read"), "Did you mean 'customers.read'?"),
        (("revoke", "nonsense"), "There is no such token (at id)."),
    ):
        ran = crm_command("token", *arguments)
        assert (ran.code, ran.output) == (1, "")
        assert fault in ran.errors
    assert crm_command("token", "list").output.startswith("There is no token.")


def test_a_table_has_one_line_a_row_for_another_program(
    crm_command: Crm, database_url: str, tmp_path: Path
) -> None:
    rights = [part for n in ("customers", "interactions", "staff") for part in ("--permission", f"{n}.read")]
    crm_command("token", "create", "shop", *rights)
    quiet = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    ran = subprocess.run(
        [sys.executable, "-m", "crm_framework.cli", "token", "list"],
        env={**quiet, "CRM_DATABASE_URL": database_url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(ran.stdout.splitlines()) == 2


def test_whom_it_is_for_says_of_what_kind_it_is(crm_command: Crm, database_url: str) -> None:
    segment = made(database_url, "crm_segment", name="Berlin", condition='{"city": {"eq": "Berlin"}}')
    in_database(database_url, lambda tx: create_customer(tx, NewCustomer(name="Ada")))
    customer = str(rows(database_url, "SELECT id FROM crm_customer")[0]["id"])
    staff = made(database_url, "crm_staff", name="Grace")
    may = ("--permission", "customers.read")
    for arguments in (
        (*may, "--segment", encode_id("Segment", segment)),
        (*may, "--tag", "Reseller"),
        ("--customer", customer),
        (*may, "--staff", encode_id("Staff", staff)),
        may,
    ):
        assert crm_command("token", "create", "x", *arguments).code == 0, arguments
    columns = ("kind", "segment_id", "tag", "customer_id", "staff_id")
    found = rows(database_url, f"SELECT {', '.join(columns)} FROM crm_token ORDER BY id")
    assert [tuple(row[name] for name in columns) for row in found] == [
        ("PARTNER", segment, None, None, None),
        ("PARTNER", None, "reseller", None, None),
        ("CUSTOMER", None, None, customer, None),
        ("STAFF", None, None, None, staff),
        ("INTEGRATION", None, None, None, None),
    ]
    listed = crm_command("token", "list").output
    for told in (f"segment {segment}", "tag reseller", customer, staff):
        assert told in listed


def test_a_wrong_owner_makes_no_token(crm_command: Crm, database_url: str) -> None:
    staff = made(database_url, "crm_staff", name="Grace")
    may = ("--permission", "customers.read")
    for arguments, fault in (
        ((*may, "--segment", "nonsense"), "There is no such segment (at segment)."),
        ((*may, "--tag", "a", "--segment", "b"), "names either a segment or a tag (at segment)."),
        ((*may, "--tag", "a", "--kind", "STAFF"), "names either a segment or a tag (at segment)."),
        ((*may, "--kind", "PARTNER"), "names either a segment or a tag (at segment)."),
        (("--customer", "nonsense"), "There is no such customer (at customer)."),
        (("--staff", "nonsense"), "There is no such member of staff (at staff)."),
        (("--staff", staff), "The token would open nothing."),
        (("--tag", "a"), "The token would open nothing."),
    ):
        ran = crm_command("token", "create", "x", *arguments)
        assert (ran.code, ran.output) == (1, ""), arguments
        assert fault in ran.errors
    assert rows(database_url, "SELECT id FROM crm_token") == []
    assert crm_command("roles", "create", "Sales", *may).code == 0
    assert crm_command("roles", "set", staff, "Sales").code == 0
    assert crm_command("token", "create", "x", "--staff", staff).code == 0  # their roles say what it opens
