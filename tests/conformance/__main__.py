"""``python -m tests.conformance``: run the suites, print the table, fail below the bar or on news."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.conformance import known, page
from tests.conformance.report import BAR, Figures, count, table, total
from tests.conformance.runner import ROOT, forget_failures, read, run_suite
from tests.conformance.suites import SAMPLE, SUITES, Suite, named

FULL = ROOT / "results" / "conformance"


def main(arguments: list[str]) -> int:
    """0 when 99 % agree and every failure has a listed cause."""
    asked = _parse(arguments)
    sampled = asked.fraction is None
    suites = [named(name) for name in asked.suite] or [
        suite for suite in SUITES if suite.most or not sampled or asked.page
    ]
    if asked.page:
        page.write([_counted(suite, asked.results) for suite in suites] if asked.figures else None)
        return 0

    def run(suite: Suite) -> None:
        if asked.again:
            forget_failures(suite, results)
        fraction, most = (SAMPLE, suite.most) if sampled else (asked.fraction, asked.most)
        run_suite(suite, fraction, most, results, asked.seconds, sys.stderr)

    with tempfile.TemporaryDirectory() as empty, ThreadPoolExecutor(asked.jobs) as workers:
        results = asked.results if asked.keep else Path(empty)
        list(workers.map(run, sorted(suites, key=lambda suite: suite.name, reverse=True)))  # torch is longest
        figures = [_counted(suite, results) for suite in suites]
    return _tell(figures, asked.json)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    add = parser.add_argument
    add("--suite", action="append", default=[], choices=[suite.name for suite in SUITES], help="only this")
    add("--fraction", type=float, help="share of every test function, rounded up (default: a small sample)")
    add("--most", type=int, default=0, help="with --fraction: take no more tests of a suite (0: all drawn)")
    add("--jobs", type=int, default=2, help="suites at the same time")
    add("--keep", action="store_true", help="keep records in --results, and go on where they stop")
    add("--again", action="store_true", help="with --keep: run once more what failed")
    add("--results", type=Path, default=FULL, help="folder of the records")
    add("--seconds", type=float, default=0.0, help="stop a suite after so long; --keep goes on later")
    add("--json", type=Path, help="write the figures there")
    add("--page", action="store_true", help="run nothing; renew docs/coreml-conformance.md")
    add("--figures", action="store_true", help="with --page: take the figures from --results")
    return parser.parse_args(arguments)


def _counted(suite: Suite, results: Path) -> Figures:
    return count(suite.name, read(results / f"{suite.name}.jsonl"), known.load())


def _tell(figures: list[Figures], out: Path | None) -> int:
    whole = total(figures)
    sys.stdout.write(table(figures))
    for name, number in sorted(whole.causes.items(), key=lambda pair: -pair[1]):
        sys.stdout.write(f"{number:5} failed as known.toml says: {name}\n")
    for line in whole.unlisted:
        sys.stdout.write(f"NEW   {line}\n")
    if out is not None:
        out.write_text(json.dumps([each.to_json() for each in figures], indent=1) + "\n", encoding="utf-8")
    short = whole.percent < BAR
    if short:
        sys.stdout.write(f"only {whole.percent:.2f} % agree; the bar is {BAR:g} %\n")
    return 1 if short or whole.unlisted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
