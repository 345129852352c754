"""`python -m … FILE SEED`: a receiver of webhooks, which lives on when the server is killed.

It prints its port, and writes down what it gets, a line of JSON each, before it answers, at times late or
with a failure.
"""

import asyncio
import base64
import json
import sys
from random import Random
from typing import TextIO

from tests.outgoing.receiver import Received, Receiver


async def main(file: str, seed: str) -> None:
    rng = Random(seed)
    with open(file, "a", encoding="utf-8", buffering=1) as notes:  # noqa: ASYNC230  # it does nothing else
        receiver = Receiver()

        async def before(got: Received) -> None:
            failing = rng.random() < 0.1
            note(notes, got, failing)
            await asyncio.sleep(rng.random() * 0.05)
            receiver.answer(500 if failing else 200)

        receiver.before = before
        server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await server.serve_forever()


def note(notes: TextIO, got: Received, failing: bool) -> None:
    body = base64.b64encode(got.body).decode()
    notes.write(json.dumps({"headers": got.headers, "body": body, "failing": failing}) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
