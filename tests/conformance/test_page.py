"""The conformance page is what the list of known failures says, and samples are the same everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.known import Entry, Known, load
from tests.conformance.page import COMMAND, PAGE, text
from tests.conformance.report import count, row, table
from tests.conformance.sampling import draw, sample


@dataclass(frozen=True)
class _Item:
    nodeid: str


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == text(), f"stale; type: {COMMAND}"


def test_every_known_failure_has_a_kind_and_a_sentence() -> None:
    assert load().entries


def test_a_list_without_sentences_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "known.toml"
    broken.write_text('[a]\nkind = "ours"\ntest = "x"\ncause = "none"\n')
    with pytest.raises(ValueError, match="cause 'none'"):
        load(broken)


def test_samples_take_every_function_and_hang_on_names_alone() -> None:
    items: list[Any] = [_Item(f"a.py::t{kind}[{i}]") for kind in range(3) for i in range(50)]
    few = sample(items, 0.1, 0)
    assert len(few) == 15
    assert {item.nodeid.partition("[")[0] for item in few} == {"a.py::t0", "a.py::t1", "a.py::t2"}
    assert sample(items[::-1], 0.1, 0) == few[::-1]
    assert set(few) <= set(sample(items, 0.2, 0))
    assert [item for item in few if item in sample(items, 0.1, 4)] == sample(items, 0.1, 4)
    assert draw("a.py::t") == draw("a.py::t") != draw("a.py::u")


def test_figures_count_what_was_asked_and_name_what_is_new() -> None:
    listed = Known(
        (Entry("odd", "coremltools", "odd", "boom", "So."), Entry("mac", "needs a Mac", "mac", "", "So."))
    )
    ids = ["good", "odd", "mac", "half", "news", "early", "quiet", "skip", "xfail"]
    outcomes = ["agreed", "failed", "failed", "unrounded", "failed", "failed", "silent", "skipped", "xfailed"]
    said = {"skip": "tensorflow not found."}
    records: list[dict[str, Any]] = [{"collected": 12, "networks": 3, "drawn": 9, "ids": ids}]
    for name, outcome in zip(ids, outcomes, strict=True):
        asked = {"predictions": int(name != "early"), "refusals": 0, "seconds": 1.0}
        records.append({"id": name, "outcome": outcome, "reason": said.get(name, "boom"), **asked})
    figures = count("iOS16", records, listed)
    assert (figures.agreed, figures.unrounded, figures.failed, figures.ran) == (1, 1, 2, 4)
    assert (figures.needs_a_mac, figures.stopped, figures.silent, figures.expected) == (1, 1, 1, 1)
    assert figures.skipped == {"neural network backend": 3, "missing optional package": 1}
    assert figures.unlisted == ["news: boom", "early: boom"]
    assert (figures.percent, figures.strictly) == (50.0, 25.0)
    assert "1 missing optional package" in row(figures)[-1]
    assert "50.00" in table([figures])
