"""Secrets of a real installation come out nowhere: in no answer, log, error or export, at no terminal."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2
import pytest

from crm_framework.app import open_service
from crm_framework.settings import load_settings

FIXTURES = Path(__file__).parents[1] / "fixture_plugins"
CRM = [sys.executable, "-c", "from crm_framework.cli import main; main()"]
KEY = "zq-key-of-the-audit-log-zq"
FORMER = "zq-former-key-of-the-audit-log-zq"
PLUGIN = "zq-secret-of-a-plugin-zq"
PASSWORD = "zq-password-zq"
SOLD = "zqQ7pZ1"

BROKEN = f'''
"""Fails on import, and tells what it knows."""

print("about to fail: postgres://crm:{PASSWORD}@10.0.0.5/crm")
raise RuntimeError("cannot connect to postgres://crm:{PASSWORD}@10.0.0.5/crm with key sk_live_{SOLD}")
'''

LEAKY = '''
"""Fails wherever it can, and tells all that it knows."""

from collections.abc import Sequence

from crm_framework import Customer, Event, Plugin, PluginSettings, SchemaParts, Secret, computed, hookimpl


class LeakySettings(PluginSettings, frozen=True):
    secret: Secret


plugin = Plugin(name="leaky", requires_api="1.0", summary="Fails.", settings=LeakySettings)


@hookimpl
def schema(settings: LeakySettings) -> SchemaParts:
    @computed()
    def crash(name: str) -> str:
        """Never there."""
        raise RuntimeError(f"{settings} {settings.secret} {settings.secret!r}")

    return SchemaParts(extend={Customer: [crash]})


@hookimpl
async def on_events(events: Sequence[Event], settings: LeakySettings) -> None:
    raise RuntimeError(f"{events} {settings}")
'''


class Installation:
    """A database, settings with secrets, and everything that came out so far."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.out: list[str] = []
        self.secrets = [KEY, FORMER, PLUGIN, PASSWORD, SOLD]
        if password := urlsplit(url).password:
            self.secrets.append(password)
        plugins = folder / "plugins"
        plugins.mkdir()
        (plugins / "leaky.py").write_text(LEAKY)
        (plugins / "broken.py").write_text(BROKEN)
        (plugins / "with_settings.py").write_text((FIXTURES / "with_settings.py").read_text())

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CRM_")}
        return {
            **kept,
            "CRM_DATABASE_URL": self.url,
            "CRM_PLUGIN_DIR": str(self.folder / "plugins"),
            "CRM_PLUGINS": "leaky,with_settings,broken",
            "CRM_LEAKY__SECRET": PLUGIN,
            "CRM_WITH_SETTINGS__KEY": PLUGIN,
            "CRM_AUDIT_KEYS": f"{KEY},{FORMER}",
            "CRM_DATABASE_POOL_TIMEOUT_S": "2",
            "CRM_DEBUG": "true",
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "400",
            **more,
        }

    def crm(self, *arguments: str, **environment: str) -> str:
        """What a command prints; it is looked at in the end, too."""
        done = subprocess.run(
            [*CRM, *arguments],
            cwd=self.folder,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.out.append(f"$ crm {' '.join(arguments)}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    @contextmanager
    def serving(self) -> Iterator[httpx2.Client]:
        log = self.folder / "log"
        with log.open("w") as said:
            process = subprocess.Popen(
                [*CRM, "serve", "--port", "0", "--log-level", "debug", "--token-file", "administrator.token"],
                cwd=self.folder,
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
        assert process.stdout is not None
        printed = ""
        try:
            while "Stop it" not in printed:
                line = process.stdout.readline()
                assert line, log.read_text()
                printed += line
            address = re.search(r"http://\S+:\d+", printed)
            assert address
            token = (self.folder / "administrator.token").read_text().strip()
            self.secrets.append(token)
            self.out.append(printed)
            with httpx2.Client(
                trust_env=False, base_url=address[0], headers={"Authorization": f"Bearer {token}"}, timeout=60
            ) as http:
                yield http
        finally:
            process.kill()
            process.communicate()
            self.out.append(log.read_text())

    def leaks(self) -> list[str]:
        return [
            f"{secret!r} in: {text[max(0, text.find(secret) - 300) : text.find(secret) + 100]}"
            for text in self.out
            for secret in self.secrets
            if secret in text
        ]


@pytest.fixture
def installation(empty_database_url: str, tmp_path: Path) -> Installation:
    return Installation(empty_database_url, tmp_path)


class Api:
    def __init__(self, installation: Installation, http: httpx2.Client) -> None:
        self.installation, self.http = installation, http

    def ask(self, query: str, variables: dict[str, Any] | None = None) -> Any:
        answer = self.http.post("/graphql", json={"query": query, "variables": variables})
        self.installation.out.append(answer.text)
        return answer.json()

    def once(self, query: str, variables: dict[str, Any] | None = None) -> Any:
        """The same, whose answer shows a secret to the one who asked for it to be made."""
        answer = self.http.post("/graphql", json={"query": query, "variables": variables}).json()
        assert "data" in answer, answer
        (payload,) = answer["data"].values()
        assert payload["errors"] == [], answer
        self.installation.secrets.append(payload["secret"])
        return payload

    def get(self, path: str, **headers: str) -> str:
        answer = self.http.get(path, headers=headers)
        self.installation.out.append(f"{answer.status_code} {answer.headers} {answer.text}")
        return answer.text


TOKEN = """mutation ($key: String) { createToken(input: {name: "shop", permissions: ["customers.read"],
  idempotencyKey: $key}) { secret errors { message } } }"""
WEBHOOK = """mutation { createWebhook(input: {url: "https://hooks.invalid/"}) {
  secret errors { message hint } } }"""


async def test_no_secret_comes_out(installation: Installation) -> None:
    with installation.serving() as http:
        api = Api(installation, http)
        api.once(TOKEN, {"key": "retry-1"})
        repeated = api.ask(TOKEN, {"key": "retry-1"})
        assert repeated["data"]["createToken"]["secret"] is None
        api.once(WEBHOOK)
        made = api.ask(
            'mutation { createCustomer(input: {name: "Ann"}) { customer { id seal } errors { code } } }'
        )
        customer = made["data"]["createCustomer"]["customer"]
        assert re.fullmatch("[0-9a-f]{16}", customer["seal"])
        crashed = api.ask("{ customers { nodes { crash } } }")
        assert crashed["errors"][0]["extensions"]["code"] == "INTERNAL", crashed
        assert "plan" in crashed["extensions"]
        api.ask("{ nothing }")
        api.ask("{ customers { nodes { id")
        api.ask('{ customers(filter: {name: {eq: "a\\u0000b"}}) { totalCount } }')
        exported = api.ask(
            f'mutation {{ exportCustomer(input: {{id: "{customer["id"]}"}}) {{ __typename }} }}'
        )
        assert "errors" not in exported, exported
        api.ask("{ auditLog { nodes { action changes } } tokens { nodes { name hint } } }")
        api.ask("{ webhooks { nodes { id url } } plugins { name reason summary } events { nodes { id } } }")
        api.ask("{ __schema { types { name fields { name description args { name defaultValue } } } } }")
        told = api.get("/readyz", Authorization="")
        assert '"broken"' in told
        assert "BROKEN" in told
        for word in ("RuntimeError", "cannot connect", "10.0.0.5", "broken.py"):
            assert word not in told
        for path in ("/readyz", "/metrics", "/healthz", "/nothing", "/graphql?query={me{name}}"):
            api.get(path)
        wrong = "crm_" + "zq" * 20 + "abc"
        installation.secrets.append(wrong)
        assert "UNAUTHENTICATED" in api.get("/graphql?query={me{name}}", Authorization=f"Bearer {wrong}")
    _commands(installation)
    await _database(installation)
    assert installation.leaks() == []
    assert any("RuntimeError" in text and "********" in text for text in installation.out), (
        "the log has the crash"
    )


def _commands(installation: Installation) -> None:
    assert "leaky" in installation.crm("doctor")
    assert "secret" in installation.crm("plugins", "info", "leaky")
    assert '"permissions"' in installation.crm("audit", "list", "--json")
    for arguments in (
        ("plugins", "list"),
        ("audit", "verify"),
        ("token", "list"),
        ("events", "list"),
        ("schema", "print"),
        ("export", "customers", "customers.csv"),
        ("explain", "{ customers { nodes { id crash } } }", "--json", "--database-plan"),
    ):
        installation.crm(*arguments)
    installation.out.append((installation.folder / "customers.csv").read_text())


def test_mistakes_are_told_without_secrets(tmp_path: Path) -> None:
    """Settings that do not fit, and a database that is not there."""
    installation = Installation(f"sqlite://{tmp_path}/crm.sqlite3", tmp_path)
    away = f"postgres://crm:{PASSWORD}@127.0.0.1:9/crm"
    for command in ("doctor", "migrate", "serve", "worker"):
        said = installation.crm(command, CRM_DATABASE_URL=away)
        assert "Traceback" not in said, said
    for url in (
        away.replace("9/crm", "x/crm"),
        f"{away}?minsize=z",
        f"mysql://crm:{PASSWORD}@db/crm",
        _wrong(away),
    ):
        said = installation.crm("doctor", CRM_DATABASE_URL=url)
        assert "Traceback" not in said, said
    for name, value in (
        ("CRM_AUDIT_KEYS", "zq-short-zq"),
        ("CRM_AUDIT_KEY", KEY),
        ("CRM_LEAKY__SECRETT", PLUGIN),
        ("CRM_DATABASE_POOL_SIZE", PASSWORD),
    ):
        installation.secrets.append("zq-short-zq")
        installation.crm("doctor", **{name: value})
    (installation.folder / "bad.toml").write_text(
        f'audit_keys = ["{KEY}", 7]\n[leaky]\nsecret = ["{PLUGIN}"]\n'
    )
    (installation.folder / "worse.toml").write_text(f'database_url = "{away}\n')
    for file in ("bad.toml", "worse.toml"):
        installation.crm("--config", file, "doctor")
    assert installation.leaks() == []


def _wrong(url: str) -> str:
    """With a password that has to be escaped, and is not."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(PASSWORD, f"a/b#{PASSWORD}")))


async def _database(installation: Installation) -> None:
    """Tokens are nowhere in the database; keys and secrets of the settings neither."""
    environ = installation.environment()
    settings = load_settings(environ=environ)
    async with open_service(settings) as service:
        dialect = service.database.dialect
        names = await service.database.fetch(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
            if dialect == "sqlite"
            else "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
        )
        for row in names:
            if row["name"] != "crm_webhook":  # whose secret it must know, to sign
                rows = await service.database.fetch(f'SELECT * FROM "{row["name"]}"')
                installation.out.append("\n".join(str(dict(each)) for each in rows))
