"""Global ids: the type's name and the record's key in one opaque text."""

import binascii
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable

from .errors import RequestError

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_TYPE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def encode_id(type_name: str, key: object) -> str:
    """The global id of a record."""
    return b2a_base64(f"{type_name}:{key}".encode(), newline=False).decode()


def id_encoder(type_name: str) -> Callable[[object], str]:
    """What makes the global ids of one type, many at a time."""
    prefix = f"{type_name}:".encode()

    def encode(key: object) -> str:
        text = key if type(key) is str else str(key)
        return b2a_base64(prefix + text.encode(), newline=False).decode()

    return encode


def decode_id(text: str) -> tuple[str, str]:
    """(type name, key) of a global id. Raises `RequestError` BAD_INPUT for a malformed one."""
    type_name, colon, key = _decoded(text).partition(":")
    if not colon or not key or _TYPE.fullmatch(type_name) is None:
        raise _unknown(text)
    return type_name, key


def _decoded(text: str) -> str:
    """What is in the text; nothing, if it is not what an encoder would make of that."""
    try:
        inside = a2b_base64(text)
        return inside.decode() if b2a_base64(inside, newline=False).decode() == text else ""
    except (binascii.Error, ValueError):
        return ""


def decode_key(text: str, type_name: str, key_type: str = "uuid") -> str:
    """The key in a global id of `type_name`. Raises `RequestError` BAD_INPUT for every other id."""
    found, _, key = _decoded(text).partition(":")
    if found == type_name and key:
        return check_key(text, key, key_type)
    found, key = decode_id(text)
    if found != type_name:
        problem = f"{_shown(text)} is the id of {_a(found)}; the id of {_a(type_name)} is expected here"
        raise RequestError("BAD_INPUT", problem)
    return check_key(text, key, key_type)


def check_key(text: str, key: str, key_type: str) -> str:
    """The key, if it looks like one of the column's type: the database would refuse it less politely."""
    if _UUID.fullmatch(key) is None if key_type == "uuid" else "\0" in key:
        raise _unknown(text)
    return key


def _a(type_name: str) -> str:
    return f"{'an' if type_name[:1] in 'AEIO' else 'a'} {type_name}"


def _unknown(text: str) -> RequestError:
    return RequestError("BAD_INPUT", f"{_shown(text)} is no id of this API; use ids as the API gave them")


def _shown(text: str) -> str:
    return repr(text) if len(text) <= 80 else repr(text[:77] + "…")
