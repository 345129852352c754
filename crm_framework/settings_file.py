"""Editing crm.toml in place: the list of plugins changes, comments and everything else stay.

Places are guessed by pattern and every guess is verified by parsing the outcome.
"""

import contextlib
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_KEY = re.compile(r"""^[ \t]*(?:plugins|"plugins"|'plugins')[ \t]*=[ \t]*(?=\[)""", re.MULTILINE)
_TABLE = re.compile(r"(?:^[ \t]*#[^\n]*\n)*^[ \t]*\[", re.MULTILINE)
_ENTRY = re.compile(
    r"""^(?P<indent>[ \t]*)(?P<text>"[^"\\]*"|'[^']*')(?:[ \t]*,)?(?P<rest>[ \t]*(?:#.*)?)$"""
)


def replace_plugins(text: str, names: Sequence[str]) -> str | None:
    """`text` (valid TOML) with `plugins = [names]`. Entries on lines of their own keep their comments.

    None where the file has a `plugins` that is no list.
    """
    wanted = {**tomllib.loads(text), "plugins": list(names)}
    return next((made for made in _candidates(text, names) if _parsed(made) == wanted), None)


def write_atomically(path: Path, text: str) -> None:
    """Puts `text` in the file's place in one step, keeping its rights: readers see the old or the new one."""
    target = path.resolve()
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, target.stat().st_mode & 0o7777 if target.exists() else 0o644)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _candidates(text: str, names: Sequence[str]) -> Iterator[str]:
    newline = "\r\n" if "\r\n" in text else "\n"
    array = json.dumps(list(names), ensure_ascii=False)
    for key in _KEY.finditer(text):
        end = _end_of_array(text, key.end())
        if end is not None:
            before, value, after = text[: key.end()], text[key.end() : end], text[end:]
            yield before + _edit_lines(value, names) + after
            yield before + array + after
    line = f"plugins = {array}{newline}"
    for table in _TABLE.finditer(text):
        yield text[: table.start()] + line + newline + text[table.start() :]
    yield text + ("" if not text or text.endswith("\n") else newline) + line
    yield line + text


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _end_of_array(text: str, start: int) -> int | None:
    for bracket in re.finditer(r"\]", text[start:]):
        end = start + bracket.end()
        if _parsed(f"value = {text[start:end]}") is not None:
            return end
    return None


def _edit_lines(value: str, names: Sequence[str]) -> str:
    """An array with one entry a line: the lines of entries that go are cut, new ones come last."""
    lines = value.split("\n")
    ending = "\r" if lines[0].endswith("\r") else ""
    kept, seen, indent = [], set(), "    "
    for line in lines:
        entry = _ENTRY.match(line.rstrip("\r"))
        if entry is None:
            kept.append(line)
            continue
        name, indent = entry["text"][1:-1], entry["indent"]
        if name in names:
            seen.add(name)
            kept.append(f"{indent}{entry['text']},{entry['rest']}{ending}")
    added = [f"{indent}{json.dumps(name)},{ending}" for name in names if name not in seen]
    return "\n".join([*kept[:-1], *added, kept[-1]])
