"""The log has a line for a record, whatever clients call their operations and paths."""

import io
import json
import logging
import logging.config
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from crm_framework.secret import Secret
from crm_framework.server.logs import LogFormat, log_config

from .nodes import begin, end, serving


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(said: io.StringIO) -> logging.Logger:
    return writing_to(said, "text")


@pytest.fixture
def json_log(said: io.StringIO) -> logging.Logger:
    return writing_to(said, "json")


def writing_to(said: io.StringIO, form: LogFormat) -> logging.Logger:
    chosen = log_config(form=form)
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


TOKEN = "crm_" + "aB3_-" * 9
ISSUERS = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
SECRETS = (TOKEN, "whsec_" + "Zm9v" * 8, ISSUERS, "s3cret-of-the-url")
LEAKING = f"{TOKEN} {SECRETS[1]}, Bearer {ISSUERS} at postgres://crm:s3cret-of-the-url@db/crm"


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_record_is_one_object(json_log: logging.Logger, said: io.StringIO) -> None:
    json_log.info("GET %s", "/a\n\u2028b", extra={"status": 200, "level": "mine", "owner": Secret("x")})
    (entry,) = objects(said.getvalue())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("time"))
    assert entry == {
        "level": "INFO",
        "logger": json_log.name,
        "message": "GET /a\n\u2028b",
        "status": 200,
        "extra_level": "mine",
        "owner": "********",
    }


def test_an_exception_is_text(json_log: logging.Logger, said: io.StringIO) -> None:
    try:
        raise RuntimeError("as it is")
    except RuntimeError:
        json_log.exception("failed", stack_info=True)
    (entry,) = objects(said.getvalue())
    first, *_, last = entry["exception"].splitlines()
    assert (first, last) == ("Traceback (most recent call last):", "RuntimeError: as it is")
    assert entry["stack"].startswith("Stack (most recent call last):")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (2**70, str(2**70)),
        (float("nan"), "nan"),
        (b"raw", "b'raw'"),
        ("\ud800", "\ud800"),
        ({"a": (1, None, {"password": "x"})}, {"a": [1, None, {"password": "********"}]}),
        ([[[[[[1]]]]]], [[[[["[1]"]]]]]),
    ],
)
def test_every_field_has_a_form(
    json_log: logging.Logger, said: io.StringIO, given: object, found: object
) -> None:
    json_log.info("said", extra={"field": given})
    assert objects(said.getvalue())[0]["field"] == found


@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_are_not_in_it(said: io.StringIO, form: LogFormat) -> None:
    log = writing_to(said, form)
    try:
        raise RuntimeError(LEAKING)
    except RuntimeError:
        log.exception("%s", LEAKING, extra={"note": [LEAKING], "api_key": "s3cret-of-the-url"})
    written = said.getvalue()
    assert [secret for secret in SECRETS if secret in written] == []
    assert "crm_********" in written
    assert "postgres://crm:********@db/crm" in written


def test_what_is_no_secret_stays(log: logging.Logger, said: io.StringIO) -> None:
    log.info("crm_customer_contact_point at https://a.example/b?c=d@e, crm_loyalty")
    assert said.getvalue().endswith(" crm_customer_contact_point at https://a.example/b?c=d@e, crm_loyalty\n")


@pytest.mark.parametrize("processes", ["1", "2"])
def test_every_line_of_a_server_is_an_object(empty_database_url: str, tmp_path: Path, processes: str) -> None:
    with serving(empty_database_url, tmp_path, CRM_LOG_FORMAT="json", CRM_PROCESSES=processes) as node:
        assert node.token
        headers = {"Authorization": f"Bearer {node.token}", "X-Request-ID": "from-the-test"}
        with httpx2.Client(trust_env=False, base_url=node.address) as http:
            asked = {"query": "query Who { me { name } }", "operationName": "Who"}
            assert http.post("/graphql", json=asked, headers=headers).status_code == 200
            assert http.get(f"/{node.token}").status_code == 404
        node.stop()
        lines = objects(node.log)
        (line,) = [one for one in lines if one.get("request_id") == "from-the-test"]
        assert node.token not in node.log
    duration = line.pop("duration_ms")
    assert duration > 0
    assert line.pop("message") == f"POST /graphql 200 {duration:.1f} ms actor=Administrator operation=Who"
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "crm_framework.access",
        "request_id": "from-the-test",
        "method": "POST",
        "path": "/graphql",
        "status": 200,
        "actor": "Administrator",
        "operation": "Who",
    }
    assert "/crm_********" in [one.get("path") for one in lines]


def test_why_it_cannot_start_is_an_object(empty_database_url: str, tmp_path: Path) -> None:
    settings = {"CRM_LOG_FORMAT": "json", "CRM_PERSISTED_OPERATIONS": str(tmp_path / "none.json")}
    node = begin(empty_database_url, tmp_path, **settings)
    try:
        assert node.process.wait(timeout=60) == 1
    finally:
        end(node)
    (line,) = objects(node.log)
    assert (line["level"], line["logger"]) == ("CRITICAL", "crm_framework.server")
    assert "none.json" in line["message"]
