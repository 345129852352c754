"""The log has a line for a record, whatever clients call their operations and paths."""

import io
import logging
import logging.config

import pytest

from crm_framework.server.logs import log_config


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(said: io.StringIO) -> logging.Logger:
    chosen = log_config()
    name = "crm_framework.tests_of_logs"
    logging.config.dictConfig(
        {
            **{key: chosen[key] for key in ("version", "disable_existing_loggers", "filters", "formatters")},
            "handlers": {"here": {**chosen["handlers"]["stderr"], "stream": said}},
            "loggers": {name: {"level": "INFO", "handlers": ["here"], "propagate": False}},
        }
    )
    return logging.getLogger(name)


def test_no_client_makes_up_lines(log: logging.Logger, said: io.StringIO) -> None:
    log.info("GET %s", "/a\n2026-01-01T00:00:00+0000 ERROR x [-] y\r\x1b[2J\x9b\u2028é\n\n")
    (line,) = said.getvalue().splitlines()
    assert line.endswith(" GET /a\\n2026-01-01T00:00:00+0000 ERROR x [-] y\\r\\x1b[2J\\x9b\\u2028é")


def test_a_traceback_follows_its_line(log: logging.Logger, said: io.StringIO) -> None:
    try:
        raise RuntimeError("as it is")
    except RuntimeError:
        log.exception("failed\n")
    first, second, *_, last = said.getvalue().splitlines()
    assert first.endswith(" [-] failed")
    assert (second, last) == ("Traceback (most recent call last):", "RuntimeError: as it is")
