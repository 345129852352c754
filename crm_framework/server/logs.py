"""How the log of a server looks: one line a record, with the id of the request that it belongs to."""

import logging
from typing import Any

FORMAT = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"

TIME = "%Y-%m-%dT%H:%M:%S%z"


class Lines(logging.Formatter):
    """The form of a line. A second is spelt once for all its records: that takes as long as the rest."""

    def __init__(self) -> None:
        super().__init__(FORMAT, TIME)
        self._second = (0, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        second, text = self._second
        if second != int(record.created):
            text = super().formatTime(record, datefmt)
            self._second = (int(record.created), text)
        return text


def log_config(level: str = "INFO") -> dict[str, Any]:
    """For `logging.config.dictConfig`, and for uvicorn's `log_config`. Everything goes to standard error.

    uvicorn's own access log is off: `crm_framework.access` says more, and nothing that is secret.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": "crm_framework.server.request_ids.RequestIdFilter"}},
        "formatters": {"line": {"()": Lines}},
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
