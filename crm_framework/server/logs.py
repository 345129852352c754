"""How the log of a server looks: one line a record, with the id of the request that it belongs to."""

import logging
import logging.config
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Literal

from crm_framework.errors import CrmError
from crm_framework.hiding import without_secrets

from .json_lines import JsonLines

log = logging.getLogger("crm_framework.server")

LogFormat = Literal["text", "json"]

FORMAT = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"

TIME = "%Y-%m-%dT%H:%M:%S%z"

_SHOWN = {code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}
"""Controls, written as Python writes them."""


class Lines(logging.Formatter):
    """The form of a line. A second is spelt once for all its records: that takes as long as the rest.

    Paths and names that clients chose make up no lines of their own, nor move the cursor of a terminal. A
    traceback follows below its line.
    """

    def __init__(self) -> None:
        super().__init__(FORMAT, TIME)
        self._second = (0, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        second, text = self._second
        if second != int(record.created):
            text = super().formatTime(record, datefmt)
            self._second = (int(record.created), text)
        return text

    def formatException(
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        return without_secrets(super().formatException(ei))

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = without_secrets(record.message)
        line = super().formatMessage(record)
        return line if line.isprintable() else line.rstrip("\n").translate(_SHOWN)


@contextmanager
def logging_as(form: LogFormat, level: str) -> Iterator[None]:
    """Sets the log up. As JSON, it also tells why the block failed: what reads it reads nothing else."""
    logging.config.dictConfig(log_config(level, form))
    try:
        yield
    except CrmError as error:
        if form == "text":
            raise
        log.critical("%s", error)
        raise SystemExit(1) from None
    except Exception:
        if form == "text":
            raise
        log.critical("It ends unexpectedly", exc_info=True)
        raise SystemExit(1) from None


def log_config(level: str = "INFO", form: LogFormat = "text") -> dict[str, Any]:
    """For `logging.config.dictConfig`. Everything goes to standard error.

    uvicorn's own access log is off: `crm_framework.access` says more, and nothing that is secret.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": "crm_framework.server.request_ids.RequestIdFilter"}},
        "formatters": {"line": {"()": JsonLines if form == "json" else Lines}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]}
        },
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "crm_framework": {"level": level.upper()},
            "uvicorn": {"level": "WARNING" if level.upper() == "INFO" else level.upper()},
            "uvicorn.access": {"level": "CRITICAL"},
        },
    }
