import os
import subprocess
import sys
from pathlib import Path

from .conftest import Crm


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
        (("revoke", "nonsense"), "There is no such token."),
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
