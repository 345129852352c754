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
