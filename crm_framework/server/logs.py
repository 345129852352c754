"""How the log of a server looks: one line a record, with the id of the request that it belongs to."""

from typing import Any

FORMAT = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"


def log_config(level: str = "INFO") -> dict[str, Any]:
    """For `logging.config.dictConfig`, and for uvicorn's `log_config`. Everything goes to standard error.

    uvicorn's own access log is off: `crm_framework.access` says more, and nothing that is secret.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": "crm_framework.server.request_ids.RequestIdFilter"}},
        "formatters": {"line": {"format": FORMAT, "datefmt": "%Y-%m-%dT%H:%M:%S%z"}},
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
