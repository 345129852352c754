from pathlib import Path

import pytest

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.security.administrator import administrators_token
from crm_framework.security.permissions import Permissions
from crm_framework.security.tokens import list_tokens, revoke_token
from crm_framework.security.verify import TokenVerifier
from crm_framework.storage.database import Database

PERMISSIONS = Permissions.of([])


async def test_the_first_start_makes_one_token(database: Database) -> None:
    secret = await administrators_token(database, PERMISSIONS)
    assert secret is not None
    verifier = TokenVerifier(database)
    actor = await verifier.verify(secret)
    await verifier.close()
    assert (actor.name, actor.permissions) == ("Administrator", frozenset({"*"}))
    assert await administrators_token(database, PERMISSIONS) is None
    assert len(await list_tokens(database)) == 1


async def test_a_kept_token_is_found_again(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "var" / "administrator.token"
    first = await administrators_token(database, PERMISSIONS, file)
    assert file.read_text() == f"{first}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert await administrators_token(database, PERMISSIONS, file) == first
    assert len(await list_tokens(database)) == 1


async def test_a_kept_token_that_no_longer_opens_is_replaced(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "administrator.token"
    first = await administrators_token(database, PERMISSIONS, file)
    (listed,) = await list_tokens(database)
    async with database.unit_of_work() as tx:
        await revoke_token(tx, listed.id)
    second = await administrators_token(database, PERMISSIONS, file)
    assert second != first
    assert file.read_text() == f"{second}\n"
    assert len(await list_tokens(database)) == 2


async def test_the_first_token_takes_no_other_ones_file(database: Database, tmp_path: Path) -> None:
    """Two databases, one folder: the file of the one holds the only copy of its secret."""
    file = tmp_path / "administrator.token"
    file.write_text("of another database\n")
    (tmp_path / "administrator.token.1").write_text("of a third\n")
    secret = await administrators_token(database, PERMISSIONS, file, only_first=True)
    kept = [tmp_path / f"administrator.token{number}" for number in ("", ".1", ".2")]
    assert [each.read_text() for each in kept] == [f"{secret}\n", "of a third\n", "of another database\n"]
    assert await administrators_token(database, PERMISSIONS, file, only_first=True) is None
    assert file.read_text() == f"{secret}\n"


async def test_a_place_that_cannot_be_written_is_named(database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CrmError, match="cannot be kept in") as refused:
        await administrators_token(database, PERMISSIONS, tmp_path / "file" / "token")
    assert refused.value.code is ErrorCode.CONFIGURATION
