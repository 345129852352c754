"""Typed settings: defaults, then crm.toml, then the environment, then explicit arguments.

The core's keys stand at the top of crm.toml. A table in it is one of the core's `SECTIONS`, or the section
of the plugin of that name, which the host converts to its `PluginSettings` when it loads the plugin.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_origin
from urllib.parse import urlsplit

import msgspec

from . import email_settings
from .email_settings import EmailSettings
from .errors import CrmError, ErrorCode
from .secret import HIDDEN, Secret
from .zones import is_time_zone

DEFAULT_CONFIG = "crm.toml"
PREFIX = "CRM_"
SHORTEST_KEY = 16
OTHER_VARIABLES = frozenset({"CRM_CONFIG", "CRM_TRACE_HOOKS", "CRM_TEST_DATABASE_URL"})
"""Variables of ours that are no settings."""

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
TokenCacheMs = Annotated[int, msgspec.Meta(ge=0, le=60_000)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
WebhookSeconds = Annotated[float, msgspec.Meta(gt=0, le=60)]

S = TypeVar("S", bound=msgspec.Struct)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set. Paths are relative to the folder that the program starts in."""

    database_url: str = "sqlite://crm.sqlite3"
    """`sqlite://file`, `sqlite:///absolute/file` or `postgres://user:password@host:port/name`."""
    database_pool_size: Positive = 8
    """Changes at once per process, on PostgreSQL: a connection each. SQLite has one writer."""
    database_read_pool_size: Positive = 8
    """Reads at once per process: a connection each, and on SQLite a thread each."""
    database_pool_timeout_s: Seconds = 10.0
    """Longest wait for a free connection or a lock, and on SQLite for the one that writes."""
    plugins: tuple[str, ...] = ()
    """Names of the enabled plugins. Their order says nothing: dependencies do."""
    plugin_dir: str | None = None
    """A folder whose `*.py` files are plugins too."""
    host: str = "127.0.0.1"
    port: Port = 8000
    processes: Positive = 1
    """Processes of `crm serve` that share its socket, each with connections of its own to the database."""
    log_format: Literal["text", "json"] = "text"
    """How `crm serve` and `crm worker` write their log: lines for people, or one JSON object a line."""
    debug: bool = False
    """Shows the text of unexpected errors to clients. Not for use in public."""
    page_size: Positive = 50
    max_page_size: Positive = 100
    handler_budget_ms: Positive = 250
    """Longest first try of one event handler inside the transaction of the change, for up to 50 events; more
    events have more time, in proportion."""
    delivery_budget_ms: Positive = 5_000
    """Longest later try of an event handler, in a transaction of its own; in proportion, too."""
    events_kept_days: NotNegative = 0
    """Days after which events are removed that nothing waits for any more; 0 keeps them for ever."""
    default_time_zone: str = "UTC"
    """IANA zone of customers whose own is not known: quiet hours go by it."""
    unknown_consent_allows: bool = True
    """Whether a customer may be contacted who has neither agreed nor refused."""
    request_timeout_s: Seconds = 30.0
    max_body_bytes: Positive = 16 * 1024 * 1024
    max_connections: Positive = 1_000
    """Connections at once per process; WebSockets are counted apart."""
    max_sockets: Positive = 1_000
    """WebSockets and event streams at once per process."""
    max_sockets_per_token: Positive = 100
    """The same for one token."""
    max_socket_operations: Positive = 100
    """Subscriptions, queries and mutations at once on one WebSocket."""
    max_message_bytes: Positive = 1024 * 1024
    """Longest message of a client on a WebSocket."""
    socket_init_timeout_s: Seconds = 10.0
    """How long a new WebSocket may take to send its token."""
    socket_send_timeout_s: Seconds = 10.0
    """How long a client may leave unread what is sent to it before its socket or event stream is ended."""
    subscription_queue: Positive = 1_000
    """Events that wait for one subscriber in memory; one that is slower reads them anew."""
    rate_limit_per_minute: NotNegative = 600_000
    """How many objects the operations of one token may lead to in a minute, per process; 0 is no limit."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose `X-Forwarded-For` is believed; the last address in it that is
    none of theirs is the client's. Without any, the header says nothing."""
    wrong_tokens_per_minute: Positive = 30
    """How often one address may send a token that opens nothing before it is told to wait."""
    public_requests_per_minute: NotNegative = 600
    """How often one address may ask for those routes of plugins that need no token; 0 is no limit."""
    persisted_operations: str | None = None
    """A JSON file of documents that requests may name by `documentId`; see `crm persist`."""
    only_persisted_operations: bool = False
    """Refuses every operation that is not in that file."""
    token_cache_ms: TokenCacheMs = 1_000
    """How long a process may go by what it read of a token, on PostgreSQL; 0 reads at every request. What
    the process itself changes holds at once."""
    worker: bool = True
    """Whether the server does the owed work too: deliveries, jobs, schedules. Otherwise `crm worker` does."""
    worker_width: Positive = 4
    """Pieces of one kind of owed work that a process does at once."""
    worker_grace_s: Seconds = 10.0
    """How long such work may go on when the program is told to stop; it is cut short then, and done again."""
    webhook_allow_http: bool = False
    """Lets webhooks have URLs that are not encrypted."""
    webhook_allow_private: tuple[str, ...] = ()
    """Networks, such as 10.20.0.0/16, that webhooks may lead to although they are not public."""
    webhook_timeout_s: WebhookSeconds = 15.0
    """How long one request to a webhook may take, from the look-up of its name to the end of the answer."""
    webhook_width: Positive = 32
    """Requests to webhooks at once, per process; to each of them four at most."""
    webhook_keys: tuple[Secret, ...] = ()
    """Secrets, of 16 characters at least, with which those of webhooks are sealed in the database: the one
    for what is new first, then those of former times. Without one they are kept as they are."""
    audit_keys: tuple[Secret, ...] = ()
    """Secrets, of 16 characters at least, with which the audit log is sealed: the one for what is new first,
    then those of former times. Without one, whoever can write to the database can make the chain anew."""
    oidc_issuer: str | None = None
    """The company's own issuer of tokens (OpenID Connect), as its tokens name it: an https address. Its
    tokens then open the API for members of staff."""
    oidc_audience: str | None = None
    """Whom such a token must be meant for; needed with `oidc_issuer`."""
    oidc_jwks_url: str | None = None
    """Where the issuer publishes its keys; found by discovery where it is left out."""
    oidc_staff_claim: str = "email"
    """The claim with the e-mail address of the member of staff."""

    email: EmailSettings = EmailSettings()
    """The section `[email]`: the server that takes e-mail, and whom it comes from."""

    sections: Mapping[str, Mapping[str, Any]] = {}
    """Per plugin, what crm.toml or the caller says."""
    section_variables: Mapping[str, Mapping[str, str]] = {}
    """Per plugin, what the environment says (`CRM_<SECTION>__<KEY>`), as text. It wins over `sections`."""
    config_path: Path | None = None
    """The file that was read, if there was one."""

    def __repr__(self) -> str:
        """Without the database's password, and without the plugins' sections, which may hold secrets."""
        shown = {name: getattr(self, name) for name in FIELDS}
        shown["database_url"] = _PASSWORD.sub(HIDDEN, self.database_url)
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    __str__ = __repr__


_PASSWORD = re.compile(r"(?<=:)[^:/]*(?=@)|(?<=password=)[^&]*")


INTERNAL = frozenset({"sections", "section_variables", "config_path"})
FIELDS = {field.name: field.type for field in msgspec.structs.fields(Settings) if field.name not in INTERNAL}


SECTIONS: Mapping[str, type[EmailSettings]] = {"email": EmailSettings}
"""The core's own tables in crm.toml."""


def load_settings(
    config: str | Path | None = None, *, environ: Mapping[str, str] | None = None, **explicit: Any
) -> Settings:
    """Settings from all sources. `config` wins over `CRM_CONFIG`, which wins over ./crm.toml.

    Raises `CrmError` (CONFIGURATION) for a file that cannot be read, an unknown key or a value that does not
    fit. An explicit argument that is None counts as not given.
    """
    environ = os.environ if environ is None else environ
    path = config_path(config, environ)
    values, sections = _from_file(path) if path else ({}, {})
    overrides, section_variables = _from_environment(environ)
    values |= overrides
    for name, shape in SECTIONS.items():
        given, variables = sections.pop(name, {}), section_variables.pop(name, {})
        values[name] = section_of(f"{path or 'settings'}, section [{name}]", name, shape, given, variables)
    for key, value in explicit.items():
        if value is not None:
            values[key] = _typed("argument", key, value, FIELDS)
    settings = Settings(**values, sections=sections, section_variables=section_variables, config_path=path)
    if settings.page_size > settings.max_page_size:
        raise _error(
            f"page_size is {settings.page_size} and max_page_size {settings.max_page_size}.",
            "A page may not be larger than the largest page: lower the one or raise the other.",
        )
    if settings.only_persisted_operations and settings.persisted_operations is None:
        raise _error(
            "only_persisted_operations is set without persisted_operations: nothing could be run.",
            "Name the file in persisted_operations; `crm persist` makes it.",
        )
    for name in ("audit_keys", "webhook_keys"):
        if any(len(key.reveal()) < SHORTEST_KEY for key in getattr(settings, name)):
            raise _error(
                f"A key in {name} is shorter than {SHORTEST_KEY} characters.",
                "Make one that cannot be guessed: openssl rand -hex 32.",
            )
    if settings.oidc_issuer is not None:
        _check_issuer(settings)
    for name in ("webhook_allow_private", "trusted_proxies"):
        for network in getattr(settings, name):
            _check_network(name, network)
    if settings.default_time_zone != "UTC":
        _check_zone(settings.default_time_zone)
    email_settings.check(settings.email)
    return settings


def _check_issuer(settings: Settings) -> None:
    if not settings.oidc_audience:
        raise _error(
            "oidc_issuer is set without oidc_audience: tokens for other programs would open this one.",
            "Name the audience that the issuer writes into tokens for this program.",
        )
    for key in ("oidc_issuer", "oidc_jwks_url"):
        url = getattr(settings, key)
        if url is None:
            continue
        parts = urlsplit(url)
        near = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if parts.scheme != "https" and not (parts.scheme == "http" and near):
            raise _error(f"{key} is {url!r}, which is no https address.", "Keys must come from who they say.")


def _check_network(name: str, network: str) -> None:
    from ipaddress import ip_network

    try:
        ip_network(network)
    except ValueError:
        raise _error(
            f"{name}: {network!r} is no network.",
            "Write networks such as 10.20.0.0/16, or addresses such as 10.20.0.7.",
        ) from None


def _check_zone(zone: str) -> None:
    if not is_time_zone(zone):
        raise _error(
            f"default_time_zone is {zone!r}, which is no time zone.",
            "Name one of the IANA database, such as Europe/Berlin.",
        )


def config_path(config: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Path | None:
    """The settings file that applies, or None where there is none."""
    environ = os.environ if environ is None else environ
    named = config or environ.get("CRM_CONFIG")
    if not named:
        default = Path(DEFAULT_CONFIG)
        return default if default.exists() else None
    path = Path(named)
    if not path.exists():
        raise _error(f"There is no settings file {path}.", "Make it, or name another in CRM_CONFIG.")
    return path


def plugin_settings(settings: Settings, name: str, shape: type[S]) -> S:
    """The section of plugin `name` as its own type. A `CrmError` (CONFIGURATION) names place and key."""
    place = f"{settings.config_path or 'settings'}, section [{name}]"
    given, variables = settings.sections.get(name, {}), settings.section_variables.get(name, {})
    return section_of(place, name, shape, given, variables)


def section_of(
    place: str, name: str, shape: type[S], given: Mapping[str, Any], variables: Mapping[str, str]
) -> S:
    """A section as its own type: what a file or the caller says at `place`, and over it the environment."""
    types = {field.name: field.type for field in msgspec.structs.fields(shape)}
    values = {key: _typed(place, key, value, types) for key, value in given.items()}
    for key, text in variables.items():
        variable = f"{PREFIX}{name.upper()}__{key.upper()}"
        values[key] = _from_text("environment", key, text, types, shown=variable)
    try:
        return msgspec.convert(values, shape, dec_hook=_from_plain)
    except msgspec.ValidationError as error:
        raise _error(f"{place}: {_lower(str(error))}.", "Set it in that section.") from None


def set_plugins(path: str | Path, names: Iterable[str]) -> None:
    """Writes `plugins = [names]` into the settings file, in one step; all else in it stays as it was.

    A file that is not there is made. Raises `CrmError` where the file is no TOML or cannot be written.
    """
    from .settings_file import replace_plugins, write_atomically

    path = Path(path)
    text = _read(path) if path.exists() else ""
    _parse(path, text)
    edited = replace_plugins(text, list(names))
    if edited is None:
        raise _error(f"{path}: plugins is no list.", 'Make it a list of names: plugins = ["loyalty"].')
    try:
        write_atomically(path, edited)
    except OSError as error:
        raise _error(f"{path} cannot be written: {error.strerror}.", "Nothing was changed.") from None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a mistyped one was most likely meant to be."""
    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.6)), None)


def _from_file(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    values: dict[str, Any] = {}
    sections: dict[str, dict[str, Any]] = {}
    for key, value in _parse(path, _read(path)).items():
        if isinstance(value, dict) and (key in SECTIONS or key not in FIELDS):
            sections[key] = value
        else:
            values[key] = _typed(str(path), key, value, FIELDS)
    return values, sections


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        raise _error(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from None
    except OSError as error:
        raise _error(f"{path} cannot be read: {error.strerror}.", "Check the path and its rights.") from None


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _error(f"{path} is not valid TOML: {error}.", "Correct that line.") from None


def _from_environment(environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    values: dict[str, Any] = {}
    sections: dict[str, dict[str, str]] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable in OTHER_VARIABLES:
            continue
        name = variable.removeprefix(PREFIX).lower()
        section, separator, key = name.partition("__")
        if separator and section and key:
            sections.setdefault(section, {})[key] = text
        elif name in FIELDS:
            values[name] = _from_text("environment", name, text, FIELDS, shown=variable)
        # Others may use the prefix as well (Kubernetes does for a service called crm); only what looks like
        # a slip of the pen is refused.
        elif close := get_close_matches(name, FIELDS, n=1, cutoff=0.8):
            raise _error(f"environment: {variable} is unknown.", f"Did you mean {PREFIX}{close[0].upper()}?")
    return values, sections


def _from_text(place: str, key: str, text: str, types: Mapping[str, Any], *, shown: str) -> Any:
    """A value of the environment: lists are separated by commas, the rest is read leniently."""
    kind = types.get(key)
    value: object = text
    if get_origin(kind) in (tuple, list, set, frozenset):
        value = [part.strip() for part in text.split(",") if part.strip()]
    hint = None
    if text.startswith("tcp://"):
        hint = "Kubernetes sets such variables for a service called crm: set enableServiceLinks to false."
    return _typed(place, key, value, types, strict=False, shown=shown, hint=hint)


def _typed(
    place: str,
    key: str,
    value: object,
    types: Mapping[str, Any],
    *,
    strict: bool = True,
    shown: str | None = None,
    hint: str | None = None,
) -> Any:
    if key not in types:
        close = nearest(key, types)
        known = f"Known are: {', '.join(types)}." if types else "There is nothing to set."
        raise _error(f"{place}: unknown key {shown or key}.", f"Did you mean {close}?" if close else known)
    try:
        return msgspec.convert(value, types[key], strict=strict, dec_hook=_from_plain)
    except msgspec.ValidationError as error:
        raise _error(
            f"{place}: {shown or key}: {_lower(str(error))}.", hint or "Correct the value."
        ) from None


def _from_plain(kind: type, value: object) -> Any:
    """A value of a type that msgspec does not know; what is wrong with it is told without it."""
    if kind is not Secret:
        raise NotImplementedError(f"settings cannot be of type {kind.__name__}")
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ValueError(f"expected text, got {type(value).__name__}")
    return Secret(value)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _error(message: str, hint: str) -> CrmError:
    return CrmError(ErrorCode.CONFIGURATION, message, hint=hint)
