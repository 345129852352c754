import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from .conftest import Crm

ME = "query Me {\n  me { name }\n}\n"
PLUGINS = "{ plugins { name } }"


def identifier(text: str) -> str:
    return "sha256:" + sha256(text.encode()).hexdigest()


@pytest.fixture
def command(crm_at: Callable[[str], Crm], tmp_path: Path) -> Crm:
    """In a folder with two documents. There is no database: none is needed."""
    Path("me.graphql").write_text(ME)
    Path("plugins.graphql").write_text(PLUGINS)
    return crm_at(f"sqlite://{tmp_path}/none.sqlite3")


def test_documents_are_written_by_their_ids(command: Crm, tmp_path: Path) -> None:
    ran = command("persist", "me.graphql", "plugins.graphql")
    assert (ran.code, ran.errors) == (0, "")
    assert ran.output == f"{identifier(ME)}  me.graphql\n{identifier(PLUGINS)}  plugins.graphql\n"
    assert json.loads(Path("operations.json").read_text()) == {
        identifier(ME): ME,
        identifier(PLUGINS): PLUGINS,
    }
    assert not (tmp_path / "none.sqlite3").exists()


def test_the_output_is_replaced_or_kept(command: Crm) -> None:
    command("persist", "me.graphql", "--output", "out.json")
    command("persist", "plugins.graphql", "--output", "out.json")
    assert list(json.loads(Path("out.json").read_text())) == [identifier(PLUGINS)]
    command("persist", "me.graphql", "--output", "out.json", "--keep")
    assert list(json.loads(Path("out.json").read_text())) == [identifier(PLUGINS), identifier(ME)]


def test_nothing_is_written_if_one_does_not_fit(command: Crm) -> None:
    Path("wrong.graphql").write_text("{ me { nothing } }")
    ran = command("persist", "me.graphql", "wrong.graphql")
    assert (ran.code, ran.output) == (1, "")
    assert ran.errors.startswith(
        "crm: wrong.graphql: Cannot query field 'nothing' on type 'Actor' (line 1, column 8)."
    )
    assert not Path("operations.json").exists()


def test_files_that_cannot_be_read(command: Crm) -> None:
    Path("latin.graphql").write_bytes(b"# \xe9")
    assert command("persist", "latin.graphql").errors == "crm: latin.graphql is not UTF-8 text."
    assert command("persist", "none.graphql").errors.startswith("crm: none.graphql cannot be read: No such")
    refused = command("persist", "me.graphql", "--output", "none/out.json").errors
    assert refused.startswith("crm: none/out.json cannot be written: No such")


def test_doctor_looks_at_them(crm_command: Crm) -> None:
    Path("me.graphql").write_text(ME)
    crm_command("persist", "me.graphql")
    Path("crm.toml").write_text('persisted_operations = "operations.json"\n')
    assert "✓ persisted operations: 1 in operations.json" in crm_command("doctor").output
    text = "{ me { nothing } }"
    Path("operations.json").write_text(json.dumps({identifier(text): text}))
    ran = crm_command("doctor")
    assert ran.code == 1
    assert f"✗ persisted operations: operations.json: {identifier(text)}: Cannot query field" in ran.output
