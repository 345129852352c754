"""Persisted operations: the file of them, and requests that name a document instead of sending it."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest

from crm_framework.engine.prepare import prepared
from crm_framework.errors import CrmError, ErrorCode
from crm_framework.server.answers import GRAPHQL, Refusal
from crm_framework.server.persisted import PersistedOperations, document_id, read_manifest
from crm_framework.testing.apps import OpenClient
from crm_framework.testing.client import CrmClient

ME = "query Me { me { name } }"
CHANGE = 'mutation Change { createCustomer(input: {name: "Ann"}) { customer { name } errors { code } } }'


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def manifest(tmp_path: Path, documents: dict[str, Any]) -> str:
    path = tmp_path / "operations.json"
    path.write_text(json.dumps(documents), encoding="utf-8")
    return str(path)


async def ask(client: CrmClient, **body: Any) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {client.token}", "Accept": GRAPHQL}
    return await client.http.post("/graphql", json=body, headers=headers)


def error_of(response: httpx2.Response) -> tuple[int, str, str]:
    (error,) = response.json()["errors"]
    assert "data" not in response.json()
    return response.status_code, error["extensions"]["code"], error["message"]


def test_an_id_is_the_digest_of_the_text() -> None:
    assert document_id("{ é }") == "sha256:" + sha256("{ é }".encode()).hexdigest()


@pytest.mark.parametrize("prefix", ["sha256:", ""])
async def test_a_document_is_named_with_or_without_the_prefix(
    open_client: OpenClient, tmp_path: Path, prefix: str
) -> None:
    client = await open_client(persisted_operations=manifest(tmp_path, {prefix + digest(ME): ME}))
    for identifier in (f"sha256:{digest(ME)}", digest(ME)):
        response = await ask(client, documentId=identifier, operationName="Me")
        assert (response.status_code, response.json()) == (200, {"data": {"me": {"name": "Test"}}})
    assert (await ask(client, query=ME)).status_code == 200


async def test_a_digest_of_another_tool_is_taken_as_it_is(open_client: OpenClient, tmp_path: Path) -> None:
    client = await open_client(persisted_operations=manifest(tmp_path, {"0" * 64: ME}))
    assert (await ask(client, documentId="0" * 64)).status_code == 200
    assert error_of(await ask(client, documentId=f"sha256:{'0' * 64}"))[:2] == (400, "BAD_INPUT")


async def test_variables_and_permissions_hold_as_ever(open_client: OpenClient, tmp_path: Path) -> None:
    text = "query($id: ID!) { customer(id: $id) { name } }"
    client = await open_client(persisted_operations=manifest(tmp_path, {document_id(text): text}))
    made = await client.data('mutation { createCustomer(input: {name: "Ann"}) { customer { id } } }')
    variables = {"id": made["createCustomer"]["customer"]["id"]}
    response = await ask(client, documentId=document_id(text), variables=variables)
    assert response.json() == {"data": {"customer": {"name": "Ann"}}}
    assert error_of(await ask(client, documentId=document_id(text), variables={}))[:2] == (400, "BAD_INPUT")
    nobody = await client.acting_with()
    refused = error_of(await ask(nobody, documentId=document_id(text), variables=variables))
    assert refused[:2] == (403, "FORBIDDEN")


async def test_get_takes_an_id_for_queries(open_client: OpenClient, tmp_path: Path) -> None:
    documents = {document_id(text): text for text in (ME, CHANGE)}
    client = await open_client(persisted_operations=manifest(tmp_path, documents))
    headers = {"Authorization": f"Bearer {client.token}"}
    response = await client.http.get("/graphql", params={"documentId": digest(ME)}, headers=headers)
    assert response.json() == {"data": {"me": {"name": "Test"}}}
    for _ in range(2):
        changing = await client.http.get("/graphql", params={"documentId": digest(CHANGE)}, headers=headers)
        assert (changing.status_code, changing.headers["allow"]) == (405, "POST")
    twice = await client.http.get("/graphql?documentId=a&documentId=b", headers=headers)
    assert twice.status_code == 400
    assert (await client.data("{ customers { totalCount } }"))["customers"]["totalCount"] == 0


async def test_what_is_asked_for_wrongly(open_client: OpenClient, tmp_path: Path) -> None:
    client = await open_client(persisted_operations=manifest(tmp_path, {document_id(ME): ME}))
    unknown = f"The document 'sha256:{'1' * 64}' is not known here."
    assert error_of(await ask(client, documentId=f"sha256:{'1' * 64}")) == (400, "BAD_INPUT", unknown)
    long = error_of(await ask(client, documentId="x" * 5000))
    assert long == (400, "BAD_INPUT", f"The document '{'x' * 80}…' is not known here.")
    assert error_of(await ask(client, documentId=5)) == (400, "BAD_INPUT", "`documentId` must be text.")
    both = error_of(await ask(client, documentId=document_id(ME), query=ME))
    assert both == (400, "BAD_INPUT", "Send either `query` or `documentId`.")


async def test_without_a_file_no_document_is_known(client: CrmClient) -> None:
    assert error_of(await ask(client, documentId=document_id(ME)))[:2] == (400, "BAD_INPUT")


async def test_nothing_else_is_run_where_only_these_are(open_client: OpenClient, tmp_path: Path) -> None:
    client = await open_client(
        persisted_operations=manifest(tmp_path, {document_id(ME): ME}), only_persisted_operations=True
    )
    assert (await ask(client, documentId=document_id(ME))).status_code == 200
    refusal = (403, "FORBIDDEN", "Only persisted operations are run here: send `documentId`, no `query`.")
    for query in (ME, CHANGE, "{ __schema { queryType { name } } }"):
        assert error_of(await ask(client, query=query)) == refusal
    headers = {"Authorization": f"Bearer {client.token}", "Accept": GRAPHQL}
    assert error_of(await client.http.get("/graphql", params={"query": ME}, headers=headers)) == refusal
    (row,) = await client.service.database.fetch("SELECT COUNT(*) AS n FROM crm_customer")
    assert row["n"] == 0


async def test_a_document_is_read_once_and_never_forgotten(
    open_client: OpenClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await open_client(persisted_operations=manifest(tmp_path, {document_id(ME): ME}))
    kept = prepared(client.service.schema.schema).documents._kept
    monkeypatch.setattr("crm_framework.engine.documents.MAX_DOCUMENTS", 1)
    for number in range(3):
        await client.data(f"{{ me {{ n{number}: name }} }}")

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("it was read again")

    monkeypatch.setattr("crm_framework.engine.documents._parsed", forbidden)
    assert (await ask(client, documentId=document_id(ME))).status_code == 200
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{ me { nothing } }", "Cannot query field 'nothing' on type 'Actor' (line 1, column 8)."),
        ("{ me ", "Syntax Error: Expected Name, found <EOF> (line 1, column 6)."),
        ("{ " * 20 + "}" * 20, "(line 1, column"),
        (
            "{" + " ".join(f"a{n}: me {{ name }}" for n in range(400)) + "}",
            "the document has more than 1000 tokens; send it in parts.",
        ),
    ],
)
async def test_a_document_that_does_not_fit_is_reported_and_the_others_are_served(
    open_client: OpenClient, tmp_path: Path, text: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = manifest(tmp_path, {document_id(ME): ME, document_id(text): text})
    client = await open_client(persisted_operations=path)
    [said] = [record.getMessage() for record in caplog.records if "persisted" in record.getMessage()]
    assert said.startswith(f"a persisted operation cannot be run: {path}: {document_id(text)}: ")
    assert message in said
    assert (await ask(client, documentId=document_id(ME))).json()["data"]["me"]
    refused = await ask(client, documentId=document_id(text))
    assert refused.json()["errors"][0]["extensions"]["code"] in ("BAD_INPUT", "TOO_COMPLEX")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", " is not valid JSON: "),
        ("[]", " is no JSON object."),
        ('{"me": "{ me }"}', ": me is no id."),
        ('{"md5:0123": "{ me }"}', ": md5:0123 is no id."),
        (json.dumps({"A" * 64: "{ me }"}), f": {'A' * 64} is no id."),
        (json.dumps({"0" * 64: {"text": "{ me }"}}), f": {'0' * 64} has no text."),
        (
            json.dumps({f"sha256:{'0' * 64}": "{ me }"}),
            f": sha256:{'0' * 64} is not the digest of its text.",
        ),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "operations.json"
    path.write_text(content)
    with pytest.raises(CrmError) as raised:
        read_manifest(path)
    assert raised.value.code is ErrorCode.CONFIGURATION
    assert raised.value.message.startswith(f"{path}{message}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CrmError) as raised:
        read_manifest(tmp_path / "none.json")
    assert raised.value.message == f"{tmp_path}/none.json cannot be read: No such file or directory."


def test_an_id_of_nothing_is_no_id() -> None:
    with pytest.raises(Refusal) as raised:
        PersistedOperations({"a": ME}).text_of({"documentId": ""})
    assert raised.value.status == 400
