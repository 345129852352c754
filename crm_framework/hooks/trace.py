"""Shows every hook call on standard error where `CRM_TRACE_HOOKS` is set: hook, plugin, time, outcome."""

import inspect
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import Any

VARIABLE = "CRM_TRACE_HOOKS"


def traced(hook: str, plugin: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Calls the hook; an asynchronous one gives its awaitable back."""
    if not os.environ.get(VARIABLE):
        return function(**arguments)
    started = perf_counter()
    try:
        result = function(**arguments)
    except BaseException as error:
        _show(hook, plugin, started, arguments, type(error).__name__)
        raise
    if inspect.isawaitable(result):
        return _awaited(hook, plugin, started, arguments, result)
    _show(hook, plugin, started, arguments, "done")
    return result


async def _awaited(
    hook: str, plugin: str, started: float, arguments: Mapping[str, Any], result: Awaitable[Any]
) -> Any:
    outcome = "done"
    try:
        return await result
    except BaseException as error:
        outcome = type(error).__name__
        raise
    finally:
        _show(hook, plugin, started, arguments, outcome)


def _show(hook: str, plugin: str, started: float, arguments: Mapping[str, Any], outcome: str) -> None:
    """Names of the arguments and the sizes of lists; no values, which may be personal."""
    shown = ", ".join(
        f"{name}[{len(value)}]" if isinstance(value, (list, tuple)) else name
        for name, value in arguments.items()
    )
    elapsed = (perf_counter() - started) * 1000
    sys.stderr.write(f"hook {plugin}.{hook}({shown}) {outcome} {elapsed:.2f} ms\n")
