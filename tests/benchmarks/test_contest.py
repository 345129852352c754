import random

import orjson
import pytest

from benchmarks.contest import leaves
from benchmarks.peers import Peer, idiomatic, postgraphile, strawberry_django
from benchmarks.workloads import WORKLOADS

PEERS: list[Peer] = [postgraphile.PEER, strawberry_django.PEER, idiomatic.PEER]


def test_answers_are_compared_by_values_in_order() -> None:
    ours = {"customers": {"nodes": [{"id": "Q3Vz", "name": "Ann", "createdAt": "2020-01-01T00:00:00Z"}]}}
    its = {"customers": [{"id": "018f", "name": "Ann", "createdAt": "2020-01-01T00:00:00+00:00"}]}
    assert leaves(ours) == leaves(its) == [("name", "Ann")]
    assert leaves({"customers": [{"id": "018f", "name": "Bob"}]}) != leaves(its)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_peers_are_asked_with_keys_of_the_tables(peer: Peer) -> None:
    one = next(workload for workload in WORKLOADS if workload.name == "one")
    request = peer.request(one, 10)(random.Random(1))
    body = orjson.loads(request.partition(b"\r\n\r\n")[2])
    assert body == {
        "query": peer.queries["one"],
        "variables": {"id": "018f0001-0000-7000-8000-000000000002"},
    }
    assert set(peer.queries) == {"one", "page", "nested", "search", "create", "log"}
