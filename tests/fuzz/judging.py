"""What an answer may be, whatever was asked: a result or a refusal, and nothing of the program's inside."""

import json
import re
from typing import Any

INSIDE = re.compile(
    rb"Traceback|File \\?\"|\.py\b|site-packages|\bSELECT \\?\"?\w|\bINSERT INTO\b|\bUPDATE \\?\"?crm_"
    rb"|\bDELETE FROM\b|sqlite3?\.|asyncpg|tortoise|crm_framework\.|object at 0x|NoneType"
    rb"|KeyError|TypeError|AttributeError|ValueError"
)
"""Tracebacks, SQL, and names of what the program is made of."""
TABLE = re.compile(r"\b(crm|loyalty|ticketing|analytics)_[a-z_]+\b")
"""What errors do not name, though reports of a merge or an erasure do."""
CODES = frozenset(
    {"UNAUTHENTICATED", "FORBIDDEN", "BAD_INPUT", "TOO_COMPLEX", "TOO_LARGE", "RATE_LIMITED"}
    | {"NOT_FOUND", "CONFLICT", "REFUSED"}
)


def faults(status: int, body: bytes) -> list[str]:
    """What is wrong with an answer of the endpoint; nothing, if it is as it should be."""
    found = []
    if status >= 500:
        found.append(f"status {status}")
    if inside := INSIDE.search(body):
        found.append(f"shows {inside[0]!r}")
    try:
        answer = json.loads(body)
    except ValueError:
        return [*found, "no JSON"]
    if not isinstance(answer, dict) or not answer.keys() <= {"data", "errors", "extensions"}:
        return [*found, "no GraphQL answer"]
    for error in answer.get("errors", ()):
        code = error.get("extensions", {}).get("code")
        if code not in CODES:
            found.append(f"code {code}: {error.get('message')}")
        if TABLE.search(error.get("message", "")):
            found.append(f"names a table: {error['message']}")
    found += [f"payload: {error}" for error in _payload_errors(answer.get("data"))]
    return found


def _payload_errors(data: Any) -> list[str]:
    """Of the mutations' payloads, those that no input may lead to."""
    found = []
    for value in (data or {}).values():
        if isinstance(value, dict):
            errors = value.get("errors")
            for error in errors if isinstance(errors, list) else ():
                if isinstance(error, dict) and error.get("code") in ("INTERNAL", "CONFIGURATION"):
                    found.append(str(error))
    return found
