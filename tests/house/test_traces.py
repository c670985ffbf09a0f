"""Nothing in the repository names a developer's machine, or the index its packages came from."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.house.tree import ROOT

_TEXT = {
    ".py",
    ".md",
    ".toml",
    ".yml",
    ".yaml",
    ".json",
    ".lock",
    ".txt",
    ".cfg",
    ".sh",
    ".html",
    ".css",
    ".js",
}
_TRACES = {
    "a path of one machine": re.compile(r"(?<![\w.])/(?:home|Users|root|work|mnt|media)/\w"),
    "a package index": re.compile(r"--(?:extra-)?index-url|--find-links|-f\s+https?://|--trusted-host"),
}
_LOCK_HOST = re.compile(r"\w+://\S+")


def _tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    here = "tests/house/test_traces.py"
    return [name for name in done.stdout.split("\0") if name and name != here and (ROOT / name).is_file()]


def test_no_file_names_a_machine_or_an_index() -> None:
    found = []
    for name in _tracked():
        path = ROOT / name
        if path.suffix not in _TEXT and path.suffix:
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, start=1):
            found += [f"{name}:{number} {what}" for what, trace in _TRACES.items() if trace.search(line)]
    assert not found, found


def test_lock_files_name_no_host() -> None:
    locks = [name for name in _tracked() if name.endswith(".lock") or "requirements" in name]
    found = [
        f"{name}:{number}"
        for name in locks
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), start=1)
        if _LOCK_HOST.search(line)
    ]
    assert not found, found


def test_nothing_big_is_tracked() -> None:
    """Weights and pictures live beside the project; a clone stays small."""
    big = [name for name in _tracked() if (ROOT / name).stat().st_size > 1_000_000]
    assert not big, big
