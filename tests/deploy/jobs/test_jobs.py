"""Folder jobs: the same bytes from every engine, nothing run twice, nothing lost with a worker."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.jobs.folder import SHARDS, read_rows, run_job
from deploy.jobs.protocol import Item, Work

NUMBERS = [Item(f"n{i}", [i, i + 1]) for i in range(30)]
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")
ENGINES = ["local", pytest.param("ray", marks=[needs_ray, pytest.mark.slow])]
SUMS = "tests.deploy.jobs.sums:maker"


def _nothing(done: int, found: int) -> None:
    """No progress wanted."""


def _run(folder: Path, work: Work, items: list[Item] = NUMBERS, **more: object) -> bytes:
    more = {"workers": 2, "shard_size": 4, **more}
    return run_job(work, items, folder, _nothing, **more).read_bytes()  # type: ignore[arg-type]


def test_lines_follow_the_items_and_say_what_went_wrong(tmp_path: Path) -> None:
    """One line an item; an item's own error is its line."""
    rows = run_job(Work(SUMS), [*NUMBERS, Item("none", [])], tmp_path, _nothing, workers=2, shard_size=4)
    lines = list(read_rows(rows))
    assert [line["key"] for line in lines] == [*(item.key for item in NUMBERS), "none"]
    assert [line["result"]["sum"] for line in lines[:-1]] == [2 * i + 1 for i in range(30)]
    assert lines[-1]["error"]["error"] == "NO-NUMBERS"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_worker_loses_nothing(tmp_path: Path, engine: str) -> None:
    """A worker dies of SIGKILL in the middle of a shard; the bytes are those of an undisturbed run."""
    marker = tmp_path / "died"
    items = [*NUMBERS, Item("none", [])]
    calm = _run(tmp_path / "calm", Work(SUMS), items)
    found = _run(tmp_path / "killed", Work(SUMS, {"die_once": str(marker)}), items, engine=engine)
    assert marker.exists()
    assert found == calm


@pytest.mark.parametrize("engine", ENGINES)
def test_a_shard_that_always_kills_is_named_after_the_rest(tmp_path: Path, engine: str) -> None:
    """Every other shard's result is on disk when the error comes."""
    items = [*NUMBERS[:8], Item("poison", [666]), *NUMBERS[8:16]]
    with pytest.raises(DeployError, match="WORKER-DIED") as caught:
        _run(tmp_path, Work(SUMS, {"die_always": True}), items, shard_size=1, engine=engine)
    assert "poison" in caught.value.summary
    assert len(list((tmp_path / SHARDS).glob("*.jsonl"))) == 16


def test_finished_shards_are_not_run_again(tmp_path: Path) -> None:
    """Only a shard that is missing, or whose items or settings changed, is run."""
    first = _run(tmp_path, Work(SUMS))
    shards = sorted((tmp_path / SHARDS).glob("*.jsonl"))
    shards[0].unlink()
    told: list[tuple[int, int]] = []
    rows = run_job(
        Work(SUMS), NUMBERS, tmp_path, lambda done, found: told.append((done, found)), shard_size=4
    )
    assert rows.read_bytes() == first
    assert told[0][1] >= 26
    assert len(told) == 2
    changed = [Item("other", [5, 6]), *NUMBERS[1:]]
    told.clear()
    run_job(Work(SUMS), changed, tmp_path, lambda done, found: told.append((done, found)), shard_size=4)
    assert sum(done for done, _ in told) == 4
    told.clear()
    run_job(Work(SUMS, {"a": 1}), NUMBERS, tmp_path, lambda d, f: told.append((d, f)), shard_size=4)
    assert sum(done for done, _ in told) == 30


def test_workers_and_restarts_do_not_show(tmp_path: Path) -> None:
    """One worker or three, the same bytes."""
    assert _run(tmp_path / "one", Work(SUMS), workers=1) == _run(tmp_path / "three", Work(SUMS), workers=3)


def test_what_the_maker_raises_stops_the_job(tmp_path: Path) -> None:
    """A model that cannot be loaded is one error, not one an item."""
    with pytest.raises(DeployError, match="MAKER-BROKEN"):
        _run(tmp_path, Work(SUMS, {"broken": True}))
