"""Jobs from their deferral to their end, on both databases."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_framework.errors import CrmError, ErrorCode
from crm_framework.storage import jobs
from crm_framework.storage.clock import frozen, now, parse_time
from crm_framework.storage.deferrals import PAYLOAD_LIMIT
from crm_framework.storage.ids import new_id
from crm_framework.worker import runs
from crm_framework.worker.runs import JobRun

from .conftest import Bench

START = datetime(2025, 6, 1, 12, tzinfo=UTC)
TAGGED = "INSERT INTO crm_idempotency (id, actor, operation, key_text, fingerprint, result, created_at) "
"""A table to leave marks in: its unique key tells a second mark."""


async def mark(tx: Any, text: str) -> None:
    await tx.execute(f"{TAGGED} VALUES (?, 'a', 'o', ?, '', 'null', ?)", (new_id(), text, tx.now))


async def marks(bench: Bench) -> list[str]:
    return [
        row["key_text"]
        for row in await bench.database.fetch("SELECT key_text FROM crm_idempotency ORDER BY id")
    ]


async def note(job: JobRun) -> None:
    async with job.unit_of_work() as tx:
        await mark(tx, str(job.payload["text"]))
        job.done(tx)


async def test_a_job_finds_its_payload_and_is_done_in_its_own_transaction(bench: Bench) -> None:
    seen: list[Any] = []

    async def run(job: JobRun) -> None:
        seen.append((job.name, job.payload, job.key, job.attempt, job.settings, job.now.tzinfo))
        assert await job.reader.fetch("SELECT status FROM crm_job") == [{"status": "RUNNING"}]
        async with job.unit_of_work() as tx:
            job.done(tx)

    bench.job("t.look", run)
    await bench.defer("t.look", {"n": [1, None, "é"]}, key="k")
    assert await bench.work() == 1
    assert seen == [("t.look", {"n": [1, None, "é"]}, "k", 1, {"setting": 1}, UTC)]
    [row] = await bench.rows()
    assert (row["status"], row["lease"], row["leased_by"], row["error"]) == ("DONE", None, None, None)
    assert row["finished_at"] is not None


async def test_deferring_without_a_key_takes_no_statement_of_its_own(bench: Bench) -> None:
    with bench.database.counting() as statements:
        async with bench.database.unit_of_work() as tx:
            tx.defer("t.a", {"n": 1})
            tx.defer("t.b", {"n": 2})
            assert statements == []
    assert len(statements) == 1  # the gathered insert


async def test_a_rollback_takes_the_jobs_back(bench: Bench) -> None:
    with pytest.raises(ZeroDivisionError):
        async with bench.database.unit_of_work() as tx:
            tx.defer("t.a")
            raise ZeroDivisionError
    async with bench.database.unit_of_work() as tx:
        tx.defer("t.kept")
        with pytest.raises(ZeroDivisionError):
            async with tx.savepoint():
                tx.defer("t.a", key="k")
                raise ZeroDivisionError
    assert [row["name"] for row in await bench.rows()] == ["t.kept"]


async def test_what_cannot_be_stored_is_refused_at_once(bench: Bench) -> None:
    bench.database.job_names = {"t.a"}
    async with bench.database.unit_of_work() as tx:
        wrongs: list[Callable[[], None]] = [
            lambda: tx.defer("t.unknown"),
            lambda: tx.defer("t.a", {"x": object()}),
            lambda: tx.defer("t.a", {"x": "x" * PAYLOAD_LIMIT}),
            lambda: tx.defer("t.a", [1]),  # type: ignore[arg-type]  # what a caller may do wrong
            lambda: tx.defer("t.a", key=""),
            lambda: tx.defer("t.a", key="x" * 201),
            lambda: tx.defer("t.a", at=datetime(2025, 1, 1)),
        ]
        for wrong in wrongs:
            with pytest.raises(CrmError) as refused:
                wrong()
            assert refused.value.code is ErrorCode.INTERNAL
            assert refused.value.hint
    assert await bench.rows() == []


async def test_it_waits_for_its_time(bench: Bench) -> None:
    bench.job("t.note", note)
    with frozen(START):
        await bench.defer("t.note", {"text": "later"}, at=START + timedelta(hours=1))
        await bench.defer("t.note", {"text": "now"})
        assert await bench.work() == 1
        assert await marks(bench) == ["now"]
    with frozen(START + timedelta(hours=1)):
        assert await bench.work() == 1
    assert await marks(bench) == ["now", "later"]


async def test_deferring_again_under_a_key_moves_it(bench: Bench) -> None:
    bench.job("t.note", note)
    with frozen(START):
        await bench.defer("t.note", {"text": "first"}, at=START + timedelta(hours=1), key="k")
        await bench.defer("t.note", {"text": "other"}, at=START + timedelta(hours=1), key="l")
        await bench.defer("t.note", {"text": "second"}, at=START + timedelta(hours=2), key="k")
    with frozen(START + timedelta(hours=1)):
        assert await bench.work() == 1
    with frozen(START + timedelta(hours=2)):
        assert await bench.work() == 1
    assert await marks(bench) == ["other", "second"]


async def test_what_waits_can_be_cancelled_and_the_last_word_in_a_transaction_holds(bench: Bench) -> None:
    bench.job("t.note", note)
    await bench.defer("t.note", {"text": "a"}, key="k")
    async with bench.database.unit_of_work() as tx:
        tx.cancel_deferred("t.note", "k")
        tx.cancel_deferred("t.note", "unknown")
        tx.defer("t.note", {"text": "b"}, key="l")
        tx.cancel_deferred("t.note", "l")
        tx.cancel_deferred("t.note", "m")
        tx.defer("t.note", {"text": "c"}, key="m")
    await bench.work()
    assert await marks(bench) == ["c"]


async def test_without_done_it_is_done_when_the_function_returns(bench: Bench) -> None:
    async def run(job: JobRun) -> None:
        async with job.unit_of_work() as tx:
            await mark(tx, "1")
        async with job.unit_of_work() as tx:
            await mark(tx, "2")

    bench.job("t.run", run)
    await bench.defer("t.run")
    assert await bench.work() == 1
    assert (await marks(bench), await bench.statuses()) == (["1", "2"], ["DONE"])


async def test_it_goes_on_with_the_next_payload(bench: Bench) -> None:
    async def run(job: JobRun) -> None:
        number = job.payload["number"]
        async with job.unit_of_work() as tx:
            await mark(tx, f"{number} in attempt {job.attempt}")
            job.done(tx, then={"number": number + 1} if number < 3 else None)

    bench.job("t.batches", run)
    await bench.defer("t.batches", {"number": 1}, key="k")
    assert await bench.work() == 3
    assert await marks(bench) == ["1 in attempt 1", "2 in attempt 1", "3 in attempt 1"]
    assert await bench.statuses() == ["DONE"]


async def test_nothing_can_be_changed_in_its_name_after_it_is_done(bench: Bench) -> None:
    raised: list[CrmError] = []

    async def run(job: JobRun) -> None:
        async with job.unit_of_work() as tx:
            job.done(tx)
        with pytest.raises(CrmError) as refused:
            async with job.unit_of_work() as tx:
                await mark(tx, "too late")
        raised.append(refused.value)

    bench.job("t.run", run)
    await bench.defer("t.run")
    await bench.work()
    assert [error.code for error in raised] == [ErrorCode.UNAVAILABLE]
    assert (await marks(bench), await bench.statuses()) == ([], ["DONE"])


async def test_done_takes_a_transaction_of_the_job_alone(bench: Bench) -> None:
    async def run(job: JobRun) -> None:
        async with bench.database.unit_of_work() as tx:
            job.done(tx)

    bench.job("t.run", run, attempts=1)
    await bench.defer("t.run")
    await bench.work()
    [row] = await bench.rows()
    assert row["status"] == "FAILED"
    assert "not its own" in row["error"]


async def test_a_failure_is_repeated_later_and_later_and_then_parked(bench: Bench) -> None:
    async def run(job: JobRun) -> None:
        async with job.unit_of_work() as tx:
            await mark(tx, "undone")
            job.done(tx)
            raise ValueError(f"no {job.attempt}")

    bench.job("t.fails", run, attempts=3)
    pauses = []
    at = START
    with frozen(at):
        await bench.defer("t.fails")
    for attempt in (1, 2):
        with frozen(at):
            assert await bench.work() == 1
        [row] = await bench.rows()
        assert (row["status"], row["attempts"], row["error"]) == (
            "WAITING",
            attempt,
            f"ValueError: no {attempt}",
        )
        pauses.append(parse_time(row["run_at"]) - at)
        at = parse_time(row["run_at"])
    with frozen(at):
        assert await bench.work() == 1
        assert await bench.work() == 0
    [row] = await bench.rows()
    assert (row["status"], row["attempts"], row["error"]) == ("FAILED", 3, "ValueError: no 3")
    assert [round(pause.total_seconds() / base, 1) for pause, base in zip(pauses, (10, 40), strict=True)] == [
        pytest.approx(1, abs=0.25)
    ] * 2
    assert await marks(bench) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), BaseException("b"), GeneratorExit()])
async def test_whatever_a_job_raises_fails_the_job_only(bench: Bench, error: BaseException) -> None:
    async def fail(job: JobRun) -> None:
        raise error

    async def work(job: JobRun) -> None:
        done.append(job.name)

    done: list[str] = []
    bench.job("t.bad", fail, attempts=1)
    bench.job("t.good", work)
    await bench.defer("t.bad")
    await bench.defer("t.good")
    assert await bench.work() == 2
    assert done == ["t.good"]
    assert {row["name"]: row["status"] for row in await bench.rows()} == {"t.bad": "FAILED", "t.good": "DONE"}


async def test_what_hangs_is_cut_after_its_time(bench: Bench) -> None:
    ended: list[str] = []

    async def run(job: JobRun) -> None:
        try:
            async with job.unit_of_work() as tx:
                await mark(tx, "undone")
                await asyncio.sleep(3600)
        finally:
            ended.append("cut")

    bench.job("t.hangs", run, attempts=1, timeout_s=0.05)
    await bench.defer("t.hangs")
    assert await bench.work() == 1
    [row] = await bench.rows()
    assert (row["status"], row["error"]) == ("FAILED", "TimeoutError: it took longer than 0.05 seconds")
    assert (ended, await marks(bench)) == (["cut"], [])


async def test_what_ignores_being_cut_is_left_behind_and_can_change_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "LAST_SECONDS", 0.05)
    go_on = asyncio.Event()
    outcome: list[str] = []

    async def run(job: JobRun) -> None:
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue
        try:
            async with job.unit_of_work() as tx:
                await mark(tx, "undone")
                job.done(tx)
        except CrmError as error:
            outcome.append(error.code.value)

    bench.job("t.stubborn", run, attempts=1, timeout_s=0.05)
    await bench.defer("t.stubborn")
    assert await bench.work() == 1
    assert await bench.statuses() == ["FAILED"]
    go_on.set()
    async with asyncio.timeout(30):
        while not outcome:  # noqa: ASYNC110  # the task that was left behind says nothing when it ends
            await asyncio.sleep(0.01)
    assert (outcome, await marks(bench)) == (["UNAVAILABLE"], [])


@pytest.mark.parametrize("marked", [True, False])
async def test_a_run_that_lost_its_lease_changes_nothing(bench: Bench, marked: bool) -> None:
    """Its worker was thought dead; another one has done the job meanwhile."""

    async def slow(job: JobRun) -> None:
        if job.attempt == 1:
            with frozen(now() + jobs.LEASE + timedelta(seconds=1)):
                assert await bench.work() == 0  # noted as a failed attempt
            with frozen(now() + timedelta(hours=1)):
                assert await bench.work() == 1  # the second attempt, meanwhile
        async with job.unit_of_work() as tx:
            await mark(tx, f"attempt {job.attempt}")
            if marked:
                job.done(tx)

    bench.job("t.slow", slow)
    await bench.defer("t.slow")
    assert await bench.work() == 1
    assert await marks(bench) == ["attempt 2"]
    [row] = await bench.rows()
    assert (row["status"], row["attempts"]) == ("DONE", 2)


async def test_the_lease_is_renewed_while_it_runs_and_a_lost_one_ends_the_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "RENEWED_EVERY", 0.01)
    ended: list[str] = []

    async def run(job: JobRun) -> None:
        [before] = await bench.rows()
        async with asyncio.timeout(30):
            while (await bench.rows())[0]["leased_until"] == before["leased_until"]:  # noqa: ASYNC110  # the table says nothing
                await asyncio.sleep(0.01)
        async with bench.database.unit_of_work() as tx:
            await tx.execute("UPDATE crm_job SET lease = ?", (new_id(),))
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("cancelled")

    bench.job("t.long", run)
    await bench.defer("t.long")
    assert await bench.work() == 1
    assert (ended, await bench.statuses()) == (["cancelled"], ["RUNNING"])


async def test_a_job_that_kills_its_worker_is_given_up(bench: Bench) -> None:
    """Nobody ends the lease; each run was counted when it began."""
    bench.job("t.kills", note, attempts=2)
    at = START
    with frozen(at):
        await bench.defer("t.kills", {"text": "x"})
    for attempts, status in ((1, "WAITING"), (2, "FAILED")):
        with frozen(at):
            assert len(await bench.jobs.due(4)) == 1  # and the process is gone
        at += timedelta(hours=1)
        with frozen(at):
            assert await bench.jobs.due(4) == []
        [row] = await bench.rows()
        assert (row["status"], row["attempts"]) == (status, attempts)
        assert "worker ended" in row["error"]
        at += timedelta(hours=1)


async def test_jobs_that_this_process_does_not_know_wait(bench: Bench) -> None:
    bench.job("t.note", note)
    await bench.defer("gone.job", {"text": "x"})
    await bench.defer("t.note", {"text": "y"})
    assert await bench.work() == 1
    assert await bench.statuses() == ["WAITING", "DONE"]
    bench.job("gone.job", note)
    assert await bench.work() == 1
    assert await marks(bench) == ["y", "x"]


async def test_two_of_one_key_never_run_at_once(bench: Bench) -> None:
    order: list[str] = []

    async def run(job: JobRun) -> None:
        order.append(f"{job.payload['n']} begins")
        if job.payload["n"] == 1:
            await bench.defer("t.one", {"n": 2}, key="k")
            assert await bench.jobs.due(4) == []
        order.append(f"{job.payload['n']} ends")

    bench.job("t.one", run)
    await bench.defer("t.one", {"n": 1}, key="k")
    assert await bench.work() == 2
    assert order == ["1 begins", "1 ends", "2 begins", "2 ends"]


@pytest.mark.parametrize("ending", ["goes on", "fails"])
@pytest.mark.parametrize("meanwhile", ["moved", "cancelled"])
async def test_the_key_is_moved_or_cancelled_while_it_runs(bench: Bench, ending: str, meanwhile: str) -> None:
    """What runs comes to its end and is not run again: what was said later counts."""

    async def run(job: JobRun) -> None:
        if job.payload["text"] != "first":
            await note(job)
            return
        async with bench.database.unit_of_work() as tx:
            if meanwhile == "moved":
                tx.defer("t.key", {"text": "moved"}, key="k")
            else:
                tx.cancel_deferred("t.key", "k")
        async with job.unit_of_work() as tx:
            await mark(tx, "first")
            job.done(tx, then={"text": "went on"})
            if ending == "fails":
                raise ValueError

    bench.job("t.key", run)
    with frozen(START):
        await bench.defer("t.key", {"text": "first"}, key="k")
        await bench.work()
    with frozen(START + timedelta(hours=1)):
        await bench.work()
    expected = [] if ending == "fails" else ["first"]
    assert await marks(bench) == [*expected, *(["moved"] if meanwhile == "moved" else [])]
    assert await bench.statuses() == ["CANCELLED", *(["DONE"] if meanwhile == "moved" else [])]


async def test_a_worker_that_is_cut_short_gives_its_jobs_back(bench: Bench) -> None:
    begun = asyncio.Event()

    async def run(job: JobRun) -> None:
        begun.set()
        async with job.unit_of_work() as tx:
            await mark(tx, "undone")
            await asyncio.sleep(3600)

    bench.job("t.long", run)
    await bench.defer("t.long")
    [piece] = await bench.jobs.due(1)
    running = asyncio.ensure_future(piece())
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    [row] = await bench.rows()
    assert (row["status"], row["attempts"], row["lease"]) == ("WAITING", 0, None)
    assert await marks(bench) == []
