"""Generated reads and changes of the whole API over HTTP, spoilt: a refusal or a result, never a failure."""

import json
from random import Random
from typing import Any

from tests.differential.operations import Shape, generate

from . import spoiling
from .conftest import Asked
from .judging import faults
from .serving import FuzzServer
from .trials import CASES, SEED, rng

KINDS = ("query", "mutation", "mutation")


def test_spoilt_operations(server: FuzzServer, asked: Asked) -> None:
    wrong: list[str] = []
    taken = 0
    for number in range(CASES):
        chance = rng("operations", number)
        operation = generate(asked.schema, chance, asked.pools, Shape(kind=KINDS[number % 3], fields=25))
        name, variables = operation.request(chance)
        body = _body(chance, operation.text, name, variables)
        status, answer = server.post(body, accept=chance.choice(("application/json", "*/*")))
        taken += b'"data":{' in answer
        if found := faults(status, answer):
            wrong.append(f"case {number}: {'; '.join(found)}\n{body.decode()}\n{answer[:1500].decode()}")
    assert wrong == [], f"FUZZ_SEED={SEED}: {len(wrong)} of {CASES}\n" + "\n\n".join(wrong[:20])
    assert taken > CASES // 4, "too little is understood to show anything"


def _body(chance: Random, text: str, name: str | None, variables: dict[str, Any]) -> bytes:
    if chance.random() < 0.25:
        text = spoiling.document(chance, text)
    for _ in range(chance.randrange(3)):
        if variables:
            key = chance.choice(list(variables))
            variables[key] = spoiling.value(chance, variables[key])
    members: dict[str, Any] = {"query": text, "variables": variables, "operationName": name}
    if chance.random() < 0.05:
        members = spoiling.value(chance, members)
    return json.dumps(members, ensure_ascii=chance.random() < 0.5).encode(errors="surrogatepass")
