"""Samples survive a crash: whole lines are read, a cut-off last line is left out, a broken one is named."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from deploy.contracts.run import Sample
from deploy.errors import DeployError
from device_bench.samples import read_samples, write_rows

ROWS = [(0, 10, 1, 5, 2, 4), (1, 20, 1, 6, 2, -1)]


def written(rows: list[tuple[int, int, int, int, int, int]]) -> str:
    stream = io.StringIO()
    write_rows(stream, rows)
    return stream.getvalue()


def test_lines_are_samples() -> None:
    lines = written(ROWS).splitlines()
    assert Sample.model_validate_json(lines[0]) == Sample(
        i=0, t_ns=10, pre_ns=1, infer_ns=5, post_ns=2, cpu_ns=4
    )
    assert Sample.model_validate_json(lines[1]).cpu_ns is None


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text(written([ROWS[0], ROWS[0]]))
    samples = read_samples(path)
    assert samples.infer_ns.tolist() == [5, 5]
    assert samples.total_ns.tolist() == [8, 8]
    assert samples.cpu_ns is not None and samples.cpu_ns.tolist() == [4, 4]
    assert not samples.truncated


def test_cpu_time_is_unknown_when_one_sample_lacks_it(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text(written(ROWS))
    assert read_samples(path).cpu_ns is None


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_cut_last_line_loses_one_sample(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text(written(ROWS)[:-cut])
    samples = read_samples(path)
    assert len(samples) == 1 and samples.truncated


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text('{"i":0}\n' + written(ROWS))
    with pytest.raises(DeployError, match="line 1"):
        read_samples(path)


def test_an_empty_file_has_no_samples(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text("")
    samples = read_samples(path)
    assert len(samples) == 0 and samples.cpu_ns is None and not samples.truncated
