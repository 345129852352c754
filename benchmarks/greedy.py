"""`python -m benchmarks.greedy PORT TOKEN CUSTOMERS SECONDS`: asks for far more than its token may.

It prints how many of its requests were answered, and how many were told to wait.
"""

import sys
import time

from benchmarks.client import Connection, sound
from benchmarks.workloads import WORKLOADS, product_request

PER_SECOND = 200
"""Requests, each for some 300 objects: dozens of times the budget. One after the other would also measure how
much of the machine this client takes, where all share it."""
NESTED = next(workload for workload in WORKLOADS if workload.name == "nested")


def main(port: int, token: str, customers: int, seconds: float) -> None:
    connection = Connection(port, product_request(NESTED, token, customers), seed=1)
    answered = told = 0
    begun = time.perf_counter()
    while (at := time.perf_counter() - begun) < seconds:
        if (answered + told) > at * PER_SECOND:
            time.sleep(1 / PER_SECOND)
            continue
        connection.send()
        while (answer := connection.receive()) is None:
            pass
        if answer.startswith(b"HTTP/1.1 429 "):
            told += 1
        elif sound(answer):
            answered += 1
        else:
            raise SystemExit(answer[:1000].decode(errors="replace"))
    sys.stdout.write(f"{answered} {told}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
