"""The plugins over the API: state, and what each adds."""

from pathlib import Path
from typing import Any

from crm_framework.hooks.discovery import load_plugins
from crm_framework.schema.core import compose_schema
from crm_framework.security.actors import Actor, ActorKind
from crm_framework.settings import Settings
from crm_framework.storage.database import Database

from .conftest import Api

HELLO = '''
from crm_framework import Permission, Plugin, SchemaParts, computed, hookimpl, root, InteractionKind, Channel

plugin = Plugin(
    name="greeter",
    requires_api="1.0",
    summary="Says hello.",
    permissions=[Permission("greeter.read", "Be greeted.")],
    kinds=[InteractionKind("greeting", "A greeting.")],
    channels=[Channel("hall", "In the hall.")],
)


@root(permission="greeter.read")
def hello() -> str:
    """Hello."""
    return "Hello"


@hookimpl
def schema() -> SchemaParts:
    return SchemaParts(query=[hello])
'''
CLASH = '''
from crm_framework import PUBLIC, Plugin, SchemaParts, hookimpl, root

plugin = Plugin(name="rude", requires_api="1.0", summary="Takes a name.", requires=["greeter"])


@root(permission=PUBLIC)
def me() -> str:
    """Not me."""
    return "no"


@hookimpl
def schema() -> SchemaParts:
    return SchemaParts(query=[me])
'''
ALL = """{ plugins { name version status reason hint summary requires uses adds migrations kinds channels
    permissions { name description } } }"""

OURS = ("greeter", "rude", "idle")
"""The environment of the tests may have others installed."""


def with_plugins(database: Database, folder: Path, *enabled: str) -> Api:
    host = load_plugins(Settings(plugin_dir=str(folder), plugins=enabled))
    return Api(compose_schema(host), database, host)


async def test_none(api: Api) -> None:
    assert await api.data(ALL) == {"plugins": []}
    assert api.statements == []


async def test_enabled_refused_and_disabled(database: Database, tmp_path: Path) -> None:
    (tmp_path / "greeter.py").write_text(HELLO)
    (tmp_path / "rude.py").write_text(CLASH)
    (tmp_path / "idle.py").write_text("raise RuntimeError")
    api = with_plugins(database, tmp_path, "greeter", "rude")
    async with database.unit_of_work() as tx:
        await tx.execute(
            "INSERT INTO crm_migration (app, name, applied_at) VALUES (?, ?, ?)",
            ("idle", "0001_initial", tx.now),
        )
    answer = (await api.data(ALL))["plugins"]
    assert len(api.statements) == 1
    found = {plugin["name"]: plugin for plugin in answer if plugin["name"] in OURS}
    assert list(found) == ["greeter", "rude", "idle"]
    assert found["greeter"] == {
        "name": "greeter",
        "version": None,
        "status": "ENABLED",
        "reason": None,
        "hint": None,
        "summary": "Says hello.",
        "requires": [],
        "uses": [],
        "adds": ["Query.hello"],
        "migrations": [],
        "kinds": ["greeting"],
        "channels": ["hall"],
        "permissions": [{"name": "greeter.read", "description": "Be greeted."}],
    }
    assert found["rude"] == {
        "name": "rude",
        "version": None,
        "status": "REFUSED",
        "reason": "It adds Query.me, which belongs to the core already.",
        "hint": "Disable rude or the other one; their makers must agree on another name.",
        "summary": "Takes a name.",
        "requires": ["greeter"],
        "uses": [],
        "adds": [],
        "migrations": [],
        "kinds": [],
        "channels": [],
        "permissions": [],
    }
    assert found["idle"]["status"] == "DISABLED"
    assert found["idle"]["migrations"] == ["0001_initial"]
    assert (found["idle"]["summary"], found["idle"]["adds"]) == (None, [])


async def test_each_schema_knows_its_own(database: Database, tmp_path: Path) -> None:
    (tmp_path / "greeter.py").write_text(HELLO)
    on = with_plugins(database, tmp_path, "greeter")
    off = with_plugins(database, tmp_path)
    shown = {"name": "greeter", "status": "ENABLED", "adds": ["Query.hello"]}
    assert await _greeter(on) == shown
    assert await _greeter(off) == {**shown, "status": "DISABLED", "adds": []}


async def _greeter(api: Api) -> dict[str, Any]:
    plugins = (await api.data("{ plugins { name status adds } }"))["plugins"]
    (found,) = [plugin for plugin in plugins if plugin["name"] == "greeter"]
    return dict(found)


async def test_needs_the_permission(api: Api) -> None:
    nobody = Actor(kind=ActorKind.INTEGRATION, id="n", name="n", permissions=frozenset({"audit.read"}))
    code, message = await api.refused("{ plugins { name } }", nobody)
    assert code == "FORBIDDEN"
    assert "plugins.read" in message
