"""The pytest plugin: a Mac that is none, a sample of the tests, seeds, and a line a test on disk."""

from __future__ import annotations

import gc
import json
import random
import sys
import time
import unittest.mock
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.conformance import gaps, stand_in
from tests.conformance.sampling import draw, sample

EXCUSE = pytest.StashKey[tuple[str, str]]()
STEPS = 2.0**-9
"""Two fp16 steps of a number just above a power of two."""

torch.set_num_threads(1)
stand_in.install()
gaps.install()
sys.modules.setdefault("mock", unittest.mock)  # the same, under the name two of the test files know


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options the runner sets."""
    group = parser.getgroup("conformance")
    group.addoption("--conf-fraction", type=float, default=1.0)
    group.addoption("--conf-most", type=int, default=0)
    group.addoption("--conf-out", type=Path, default=None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out older backends, draw the sample, leave out what an earlier run finished."""
    out: Path | None = config.getoption("--conf-out")
    programs = [item for item in items if "neuralnetwork" not in item.nodeid]
    drawn = sample(programs, config.getoption("--conf-fraction"), config.getoption("--conf-most"))
    done: set[str] = set()
    if out is not None:
        if out.exists():
            done = {json.loads(line).get("id") for line in out.read_text(encoding="utf-8").splitlines()}
        _write(
            out,
            {
                "collected": len(items),
                "networks": len(items) - len(programs),
                "programs": len(programs),
                "drawn": len(drawn),
                "ids": [item.nodeid for item in drawn],
            },
        )
    items[:] = [item for item in drawn if item.nodeid not in done]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Converting ends with ``gc.collect()``, which took three quarters of the time among so many tests."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Random numbers that depend on the test alone, not on the tests before it."""
    seed(item.nodeid)
    stand_in.Counts.predictions = stand_in.Counts.refusals = 0
    stand_in.Counts.half = False
    stand_in.Mode.name = "storage16"
    out: Path | None = item.config.getoption("--conf-out")
    if out is not None:
        _write(out, {"started": item.nodeid, "at": time.time()})


def seed(name: str) -> None:
    """Seed every generator from a test's name."""
    number = int(draw(name) * 2**32)
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Call the test; when its numbers differ, call it again with a runner that never rounds to fp16.

    A test that agrees then has found fp16 rounding, not a wrong op. So has one whose program holds fp16
    values and whose numbers then differ by at most ``STEPS`` of the largest one: tests round weights to fp16
    and compare with what was computed without. The first failure is kept for the record.
    """
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    try:
        pyfuncitem.obj(**arguments)
    except AssertionError as first:
        if not stand_in.Counts.predictions:
            raise
        seed(pyfuncitem.nodeid)
        stand_in.Mode.name = "exact32"
        try:
            pyfuncitem.obj(**arguments)
        except Exception as second:
            if not stand_in.Counts.half or gaps.of(second) > STEPS:
                raise first from None
            pyfuncitem.stash[EXCUSE] = ("steps", f"{gaps.of(second):.2g} of the range; {first}")
        else:
            pyfuncitem.stash[EXCUSE] = ("unrounded", str(first))
    return True


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Write one line when the test's outcome is known."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    out: Path | None = item.config.getoption("--conf-out")
    if out is None or report.when == "teardown" or (report.when == "setup" and report.passed):
        return
    found, reason = _judged(item, report, call)
    _write(
        out,
        {
            "id": item.nodeid,
            "outcome": found,
            "reason": reason,
            "predictions": stand_in.Counts.predictions,
            "refusals": stand_in.Counts.refusals,
            "seconds": round(call.duration, 3),
        },
    )


def _judged(item: pytest.Item, report: pytest.TestReport, call: pytest.CallInfo[None]) -> tuple[str, str]:
    if EXCUSE in item.stash:
        outcome, reason = item.stash[EXCUSE]
        return outcome, reason[:800]
    if hasattr(report, "wasxfail"):
        return ("xpassed" if report.passed else "xfailed"), str(report.wasxfail)
    if report.skipped:
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        return "skipped", text.removeprefix("Skipped: ")
    if report.passed:
        return ("agreed" if stand_in.Counts.predictions else "silent"), ""
    error = call.excinfo
    if error is None:
        return "failed", str(report.longrepr)[:800]
    last = error.traceback[-1]
    first = f"{type(error.value).__name__}: {error.value}"[:800]
    return "failed", f"{first} (at {Path(str(last.path)).name}:{last.lineno + 1})"


def _write(out: Path, line: dict[str, Any]) -> None:
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
