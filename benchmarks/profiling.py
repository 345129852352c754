"""`--profile`: where the product's process spends its time while one workload runs.

py-spy samples it from outside where it is installed (`pip install py-spy`): all threads, at little cost.
Otherwise cProfile counts every call on the event loop's thread, which makes calls look dearer than they are.
"""

import os
import pstats
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import servers
from benchmarks.client import Load
from benchmarks.measure import Plan, Side, load
from benchmarks.processes import processor_seconds
from benchmarks.workloads import PAGE, Workload, limit_request, product_request

RATE = 200
"""Samples a second."""
LINES = 40
"""Functions shown in each table."""
ROOTS = ("Runner.run (", "_worker (")
"""What leads to the event loop or into a thread is in every stack and says nothing."""
OUTPUT = Path("var/benchmarks")
"""Where what was sampled is kept, for flame graphs."""


def profile(url: str, workloads: Sequence[Workload], customers: int, plan: Plan, console: Console) -> None:
    """Product and limit without a profiler, then the product with one; prints both.

    What needs the plugins is done by a server with them, and stands beside the page that does not need them.
    """
    for plugins in (False, True):
        if chosen := [workload for workload in workloads if workload.plugins is plugins]:
            _profile(url, chosen, customers, plan, console, plugins=plugins)


def _profile(
    url: str, workloads: Sequence[Workload], customers: int, plan: Plan, console: Console, *, plugins: bool
) -> None:
    spy = shutil.which("py-spy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    token = servers.make_token(url, plugins=plugins)
    with tempfile.TemporaryDirectory(prefix="crm-bench-") as folder:
        counted = Path(folder, "profile")
        with (
            servers.product(url, plugins=plugins, profile=None if spy else counted) as product,
            servers.limit(url) as limit,
        ):
            for workload in workloads:
                ours = Side([product.port], product_request(workload, token, customers), plan.seconds)
                other, asked, server = (
                    ("page", product_request(PAGE, token, customers), product)
                    if plugins
                    else ("limit", limit_request(workload, customers), limit)
                )
                its = Side([server.port], asked, plan.seconds)
                console.print(f"\n[b]{workload.title}[/b]")
                taken = {}
                for name, side, pid in (("product", ours, product.pid), (other, its, server.pid)):
                    load(side, plan)  # warms up
                    before = processor_seconds(pid)
                    free = load(side, plan)
                    taken[name] = (processor_seconds(pid) - before) / free.requests * 1e6
                    console.print(f"{name:8} {_line(free)}   its process: {taken[name]:,.0f} µs a request")
                if spy:
                    kept = OUTPUT / f"{workload.name}-{url.partition(':')[0]}.stacks"
                    with _sampled(spy, product.pid, plan.seconds, kept):
                        under = load(ours, plan)
                    console.print(f"profiled {_line(under)}; stacks for flame graphs: {kept}")
                    _show_stacks(kept.read_text(), taken["product"], console)
                else:
                    with _counted(product.pid, counted):
                        under = load(ours, plan)
                    console.print(f"profiled {_line(under)} (cProfile: py-spy is not installed)")
                    _show_calls(counted, console)


def _line(one: Load) -> str:
    return f"{one.per_second:8,.0f}/s   p50 {one.p50:.2f} ms   p99 {one.p99:.2f} ms"


@contextmanager
def _sampled(spy: str, pid: int, seconds: float, kept: Path) -> Iterator[None]:
    kept.parent.mkdir(parents=True, exist_ok=True)
    options = ["--rate", str(RATE), "--format", "raw", "--function", "--output", str(kept)]
    command = [spy, "record", "--pid", str(pid), "--duration", str(max(1, round(seconds))), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield
        said, _ = process.communicate(timeout=60)
        if process.returncode:
            raise RuntimeError(f"py-spy: {said[-2000:]}")
    finally:
        process.kill()


def _show_stacks(text: str, each: float, console: Console) -> None:
    """Shares of the samples, and of the microseconds that a request takes when nobody looks."""
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [_short(frame) for frame in stack.split(";")]
        own[frames[-1]] += int(count)
        begun = next((place for place, frame in enumerate(frames) if frame.startswith(ROOTS)), 0)
        within.update(dict.fromkeys(frames[begun:], int(count)))
    total = sum(own.values()) or 1
    for title, counts in (("own time", own), ("with what it calls", within)):
        shown = Table(title=title, title_justify="left")
        for heading in ("share", "µs a request"):
            shown.add_column(heading, justify="right", no_wrap=True)
        shown.add_column("function", overflow="ellipsis", no_wrap=True)
        for frame, samples in counts.most_common(LINES):
            shown.add_row(f"{samples / total:.1%}", f"{each * samples / total:.1f}", frame)
        console.print(shown)


def _short(frame: str) -> str:
    """Without the way to site-packages."""
    name, _, place = frame.partition(" (")
    return f"{name} ({place.rpartition('site-packages/')[2]}" if place else name


@contextmanager
def _counted(pid: int, kept: Path) -> Iterator[None]:
    os.kill(pid, signal.SIGUSR1)
    yield
    kept.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR2)
    until = time.monotonic() + 30
    while not kept.exists():
        if time.monotonic() > until:
            raise RuntimeError("the profile did not come")
        time.sleep(0.05)


def _show_calls(kept: Path, console: Console) -> None:
    for order in ("tottime", "cumulative"):
        stats = pstats.Stats(str(kept), stream=console.file)
        stats.strip_dirs().sort_stats(order).print_stats(LINES)
