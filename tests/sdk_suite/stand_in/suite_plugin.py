"""The pytest plugin of the process in which Microsoft's tests run."""

import asyncio
import inspect
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

LONGEST = 0.1
"""Seconds. Their tests wait for Azure, 5 or 10 seconds at a time; the emulator is ready sooner."""

_sleep, _async_sleep = time.sleep, asyncio.sleep


async def _short_async_sleep(delay: float, result: Any = None) -> Any:
    return await _async_sleep(min(delay, LONGEST), result)


def pytest_configure(config: pytest.Config) -> None:
    """Shorten their waiting; know the mark of their coroutines."""
    config.addinivalue_line("markers", "asyncio: a coroutine")
    time.sleep = lambda seconds: _sleep(min(float(seconds), LONGEST))
    asyncio.sleep = _short_async_sleep


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how a test went, for the test that looks at this run."""
    if report.when == "call" or not report.passed:
        line = {"test": report.nodeid, "passed": report.passed, "text": report.longreprtext[-6000:]}
        with Path(os.environ["SUITE_REPORT"]).open("a", encoding="utf-8") as file:
            print(json.dumps(line), file=file)
