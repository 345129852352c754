"""The log as JSON, one object a line, for programs that gather logs."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

import orjson

from crm_framework import tracing
from crm_framework.hiding import shown, without_secrets

ORDINARY = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}
"""What every record has, and what uvicorn adds for terminals; the rest was given by `extra=`."""


_BREAKING = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}
"""What JSON leaves as it is, though some readers end a line there and terminals obey it."""


class JsonLines(logging.Formatter):
    """`time` (UTC), `level`, `logger`, `message`; `request_id`, `exception` and `stack` where there is one.

    Fields that the program gave with `extra=` follow; one of a name that is taken gets `extra_` before it.
    """

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        entry: dict[str, Any] = {
            "time": f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
        }
        extra = {name: value for name, value in record.__dict__.items() if name not in ORDINARY}
        request_id = extra.pop("request_id", "-")
        if request_id != "-":
            entry["request_id"] = request_id
        if tracing.spans is not None and (ids := tracing.spans.ids()):
            entry["trace_id"], entry["span_id"] = ids
        if record.exc_info and record.exc_info[0] is not None:
            entry["exception"] = without_secrets(self.formatException(record.exc_info))
        if record.stack_info:
            entry["stack"] = without_secrets(record.stack_info)
        for name, value in extra.items():
            entry[f"extra_{name}" if name in entry else name] = shown(value, name)
        try:
            line = orjson.dumps(entry).decode()
        except TypeError:  # half of a surrogate pair, which UTF-8 cannot say
            line = json.dumps(entry)
        return line if line.isprintable() else line.translate(_BREAKING)
