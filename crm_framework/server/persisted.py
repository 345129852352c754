"""Persisted operations: documents that requests name by an id instead of sending their text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import strawberry

from crm_framework.engine.errors import InvalidDocument, RequestError
from crm_framework.engine.execute import pin
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.settings import Settings

from .answers import Refusal

PREFIX = "sha256:"
KEY = re.compile(r"(sha256:)?[0-9a-f]{64}")
MAX_SHOWN = 80
"""Characters of a client's id that an answer repeats."""


@dataclass(frozen=True)
class PersistedOperations:
    """Text by id. `only`: no other text is run. `faults` are those of texts that do not fit the schema."""

    texts: Mapping[str, str] = field(default_factory=dict)
    only: bool = False
    faults: tuple[CrmError, ...] = ()

    def text_of(self, members: Mapping[str, Any]) -> str:
        """The document that a request asks for by `query` or `documentId`. Raises `Refusal`."""
        query, identifier = members.get("query"), members.get("documentId")
        if identifier is None:
            if not isinstance(query, str) or not query or query.isspace():
                raise Refusal(400, "BAD_INPUT", "`query` must be the text of a GraphQL document.")
            if self.only:
                raise Refusal(
                    403, "FORBIDDEN", "Only persisted operations are run here: send `documentId`, no `query`."
                )
            return query
        if not isinstance(identifier, str):
            raise Refusal(400, "BAD_INPUT", "`documentId` must be text.")
        if query is not None:
            raise Refusal(400, "BAD_INPUT", "Send either `query` or `documentId`.")
        text = self.texts.get(identifier)
        if text is None:
            shown = identifier if len(identifier) <= MAX_SHOWN else f"{identifier[:MAX_SHOWN]}…"
            raise Refusal(400, "BAD_INPUT", f"The document {shown!r} is not known here.")
        return text


def load_persisted(settings: Settings, schema: strawberry.Schema) -> PersistedOperations:
    """The operations that the settings name, each ready to run.

    Raises CrmError CONFIGURATION for a file that is none. A document that does not fit the schema is among
    `faults`, and whoever asks for it is told: its plugin may be broken, which must not take the others down.
    """
    if settings.persisted_operations is None:
        return PersistedOperations()
    path = Path(settings.persisted_operations)
    found = read_manifest(path)
    faults: list[CrmError] = []
    for identifier, text in found.items():
        try:
            check(schema, text, f"{path}: {identifier}")
        except CrmError as error:
            faults.append(error)
    texts = dict(found)
    for text in found.values():
        # whoever hashes without a prefix is understood with one, and the other way about
        identifier = document_id(text)
        texts.setdefault(identifier, text)
        texts.setdefault(identifier.removeprefix(PREFIX), text)
    return PersistedOperations(texts, settings.only_persisted_operations, tuple(faults))


def document_id(text: str) -> str:
    return PREFIX + sha256(text.encode()).hexdigest()


def read_manifest(path: Path) -> dict[str, str]:
    """The documents of a JSON file {id: text}.

    An id is `sha256:` with the digest of the text, or 64 digits as other tools write them. Raises CrmError
    CONFIGURATION.
    """
    try:
        found = orjson.loads(path.read_bytes())
    except OSError as error:
        raise _wrong(f"{path} cannot be read: {error.strerror}.", "Make it with `crm persist`.") from None
    except orjson.JSONDecodeError as error:
        raise _wrong(f"{path} is not valid JSON: {error}.", "Make it with `crm persist`.") from None
    if not isinstance(found, dict):
        raise _wrong(f"{path} is no JSON object.", 'Write it as {"sha256:…": "query text"}.')
    for identifier, text in found.items():
        if not KEY.fullmatch(identifier):
            raise _wrong(
                f"{path}: {identifier:.80} is no id.", "Write sha256: and the 64 digits of the text's digest."
            )
        if not isinstance(text, str):
            raise _wrong(f"{path}: {identifier} has no text.", "Its value must be a GraphQL document.")
        if identifier.startswith(PREFIX) and identifier != document_id(text):
            raise _wrong(
                f"{path}: {identifier} is not the digest of its text.",
                f"The text's is {document_id(text)}; make the file with `crm persist`.",
            )
    return found


def check(schema: strawberry.Schema, text: str, what: str) -> None:
    """Reads the document for good. Raises CrmError CONFIGURATION for one that the schema does not allow."""
    try:
        pin(schema, text)
    except InvalidDocument as invalid:
        error = invalid.errors[0]
        place = "".join(f" (line {at.line}, column {at.column})" for at in (error.locations or ())[:1])
        problem = f"{error.message.rstrip('.')}{place}."
    except RequestError as error:
        problem = f"{error.message}."
    else:
        return
    raise _wrong(
        f"{what}: {problem}", "Correct the document, or enable the plugin that it asks for something of."
    )


def _wrong(message: str, hint: str) -> CrmError:
    return CrmError(ErrorCode.CONFIGURATION, message, hint=hint)
