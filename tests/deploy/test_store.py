"""Files and folders appear whole or not at all, whatever happens in between."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import store
from deploy.errors import DeployError

NAMES = st.text("abcdef.-_", min_size=1, max_size=6).filter(lambda name: name.strip("."))
TREES = st.dictionaries(NAMES, st.binary(max_size=20), max_size=5)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def frozen_disk(small_disk: Path) -> Path:
    """A file system that is mounted read-only, with one file on it."""
    (small_disk / "old.json").write_text("1")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    return small_disk


def everything(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def write_tree(root: Path, tree: dict[str, bytes]) -> Path:
    root.mkdir()
    for name, payload in tree.items():
        (root / name).write_bytes(payload)
    return root


# files


def test_write_atomic_makes_parents_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.txt"
    store.write_atomic(path, "one")
    store.write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert everything(tmp_path) == ["a", "a/b", "a/b/file.txt"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~store._umask()


@pytest.mark.parametrize("broken", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "error_id"),
    [(errno.ENOSPC, "DISK-FULL"), (errno.EDQUOT, "DISK-FULL"), (errno.EROFS, "NOT-WRITABLE")],
)
def test_a_failing_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, number: int, error_id: str
) -> None:
    path = tmp_path / "file.txt"
    store.write_atomic(path, "old")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(DeployError) as caught:
        store.write_atomic(path, "new")
    assert caught.value.error_id == error_id
    assert str(path) in caught.value.summary
    assert path.read_text() == "old"
    assert everything(tmp_path) == ["file.txt"]


def test_an_unknown_disk_error_is_not_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="broken"):
        store.write_atomic(tmp_path / "file", "x")
    assert everything(tmp_path) == []


def test_a_full_disk(small_disk: Path) -> None:
    store.write_atomic(small_disk / "file", b"old")
    with pytest.raises(DeployError) as caught:
        store.write_atomic(small_disk / "file", bytes(1 << 20))
    assert caught.value.error_id == "DISK-FULL"
    assert (small_disk / "file").read_bytes() == b"old"
    assert everything(small_disk) == ["file"]


def test_a_disk_that_fills_while_a_folder_is_built(small_disk: Path) -> None:
    with pytest.raises(DeployError) as caught, store.new_folder(small_disk / "artifact") as work:
        (work / "model").write_bytes(bytes(1 << 20))
    assert caught.value.error_id == "DISK-FULL"
    assert everything(small_disk) == []


def test_a_read_only_folder(frozen_disk: Path) -> None:
    for act in (
        lambda: store.write_atomic(frozen_disk / "old.json", "2"),
        lambda: store.write_json(frozen_disk / "deeper" / "new.json", 2),
        lambda: store.new_folder(frozen_disk / "folder").__enter__(),
    ):
        with pytest.raises(DeployError) as caught:
            act()
        assert caught.value.error_id == "NOT-WRITABLE"
        assert "Read-only" in caught.value.summary
    assert everything(frozen_disk) == ["old.json"]


def test_a_file_where_a_folder_is_needed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for act in (
        lambda: store.write_atomic(tmp_path / "file" / "x.json", "1"),
        lambda: store.scratch_folder(tmp_path / "file", "name").__enter__(),
        lambda: store.scratch_folder(tmp_path / "file" / "deeper", "name").__enter__(),
    ):
        with pytest.raises(DeployError) as caught:
            act()
        assert caught.value.error_id == "NOT-A-FOLDER"
    assert (tmp_path / "file").read_text() == "mine"


# JSON


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_json_round_trip(tmp_path_factory: pytest.TempPathFactory, payload: object) -> None:
    path = tmp_path_factory.getbasetemp() / "round.json"
    store.write_json(path, payload)
    assert store.read_json(path) == payload
    assert json.loads(store.canonical_json(payload)) == payload


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_nan_is_not_written(tmp_path: Path, number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        store.write_json(tmp_path / "x.json", {"a": number})
    assert everything(tmp_path) == []


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1',
        "",
        "{'a': 1}",
        '{"a": NaN}',
        "[Infinity]",
        "-Infinity",
        "\xff\xfe",
        "[" * 100_000,
        "[1] [2]",
    ],
)
def test_broken_json_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(text.encode("latin1"))
    with pytest.raises(DeployError) as caught:
        store.read_json(path)
    assert caught.value.error_id == "JSON-BROKEN"
    assert str(path) in caught.value.summary


def test_json_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(DeployError) as caught:
            store.read_json(path)
        assert caught.value.error_id == "FILE-UNREADABLE"


# folders


def test_a_crash_inside_leaves_nothing(tmp_path: Path) -> None:
    for crash in (RuntimeError("boom"), KeyboardInterrupt(), DeployError("A", "b", "c")):
        with pytest.raises(type(crash)), store.new_folder(tmp_path / "out") as work:
            (work / "half").write_text("half")
            raise crash
        assert everything(tmp_path) == []


def test_a_folder_appears_only_at_the_end(tmp_path: Path) -> None:
    with store.new_folder(tmp_path / "deep" / "out") as work:
        (work / "file").write_text("whole")
        assert not (tmp_path / "deep" / "out").exists()
    assert everything(tmp_path) == ["deep", "deep/out", "deep/out/file"]


def test_an_existing_folder_is_kept_unless_replace_says_so(tmp_path: Path) -> None:
    final = write_tree(tmp_path / "out", {"old": b"1", "both": b"old"})
    with pytest.raises(DeployError) as caught, store.new_folder(final):
        pytest.fail("the block must not run")
    assert caught.value.error_id == "OUTPUT-EXISTS"
    with store.new_folder(final, replace=True) as work:
        (work / "both").write_bytes(b"new")
        assert (final / "both").read_bytes() == b"old"
    assert everything(tmp_path) == ["out", "out/both"]
    assert (final / "both").read_bytes() == b"new"


def test_a_failed_replacement_keeps_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    final = write_tree(tmp_path / "out", {"old": b"1"})
    real = os.replace

    def fail(source: Path, target: Path) -> None:
        if Path(target) == final and Path(source).suffix == ".part":
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt), store.new_folder(final, replace=True) as work:
        (work / "new").write_text("2")
    assert everything(tmp_path) == ["out", "out/old"]


def kill_inside(tmp_path: Path, body: str) -> None:
    """Run ``body`` in a process that is killed by SIGKILL at its end."""
    code = "import os, signal\nfrom pathlib import Path\nfrom deploy import store\n" + textwrap.dedent(body)
    process = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=Path(__file__).parents[2])
    assert process.returncode == -signal.SIGKILL


def test_a_killed_process_leaves_only_a_part_that_the_next_call_sweeps(tmp_path: Path) -> None:
    kill_inside(
        tmp_path,
        f"""
        with store.new_folder(Path({str(tmp_path)!r}) / "out[1]") as work:
            (work / "half").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    left = [path.name for path in tmp_path.iterdir()]
    assert len(left) == 1
    assert left[0].startswith(".out[1].")
    assert left[0].endswith(".part")
    with store.new_folder(tmp_path / "other") as work:
        (work / "file").write_text("1")
    assert left[0] in everything(tmp_path)
    with store.new_folder(tmp_path / "out[1]") as work:
        (work / "file").write_text("1")
    assert everything(tmp_path) == ["other", "other/file", "out[1]", "out[1]/file"]


def test_a_kill_in_the_middle_of_a_replacement_brings_the_old_folder_back(tmp_path: Path) -> None:
    write_tree(tmp_path / "out", {"old": b"1"})
    kill_inside(
        tmp_path,
        f"""
        real = os.replace
        def replace(source, target):
            if Path(source).suffix == ".part":
                os.kill(os.getpid(), signal.SIGKILL)
            real(source, target)
        os.replace = replace
        with store.new_folder(Path({str(tmp_path)!r}) / "out", replace=True) as work:
            (work / "new").write_text("2")
        """,
    )
    assert not (tmp_path / "out").exists()
    with store.scratch_folder(tmp_path, "out"):
        assert (tmp_path / "out" / "old").read_bytes() == b"1"
    assert everything(tmp_path) == ["out", "out/old"]


def test_a_living_process_keeps_its_scratch(tmp_path: Path) -> None:
    with store.scratch_folder(tmp_path, "job") as first, store.scratch_folder(tmp_path, "job") as second:
        assert first.is_dir()
        assert second.is_dir()
        assert first != second
    assert everything(tmp_path) == []


def test_scratch_is_gone_even_after_an_error(tmp_path: Path) -> None:
    with suppress(RuntimeError), store.scratch_folder(tmp_path, "job") as work:
        (work / "deep").mkdir()
        (work / "deep" / "file").write_text("x")
        raise RuntimeError
    assert everything(tmp_path) == []


# hashes


@given(TREES, TREES)
def test_a_tree_hash_is_its_content(
    tmp_path_factory: pytest.TempPathFactory, one: dict[str, bytes], two: dict[str, bytes]
) -> None:
    root = tmp_path_factory.mktemp("trees")
    first, second = write_tree(root / "first", one), write_tree(root / "other place", two)
    assert (store.sha256_tree(first) == store.sha256_tree(second)) == (one == two)
    shutil.rmtree(root)


@given(TREES.filter(bool), st.data())
def test_any_change_changes_a_tree_hash(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, bytes], data: st.DataObject
) -> None:
    root = tmp_path_factory.mktemp("trees")
    folder = write_tree(root / "folder", tree)
    before = store.sha256_tree(folder)
    path = folder / data.draw(st.sampled_from(sorted(tree)))
    action = data.draw(st.sampled_from(["flip", "rename", "remove", "move"]))
    if action == "flip":
        path.write_bytes(path.read_bytes() + b"!")
    elif action == "rename":
        path.rename(folder / (path.name + "zz"))
    elif action == "remove":
        path.unlink()
    else:
        (folder / "sub dir").mkdir()
        path.rename(folder / "sub dir" / path.name)
    assert store.sha256_tree(folder) != before
    shutil.rmtree(root)


def test_hash_of_a_file_is_the_known_one(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert store.sha256_file(tmp_path / "abc") == store.sha256_tree(tmp_path / "abc") == known
    assert store.sha256_bytes(b"abc") == known
    with pytest.raises(DeployError) as caught:
        store.sha256_file(tmp_path / "absent")
    assert caught.value.error_id == "FILE-UNREADABLE"


def test_sizes(tmp_path: Path) -> None:
    folder = write_tree(tmp_path / "t", {"a": b"123", "b": b"45"})
    assert store.size_of(folder) == 5
    assert store.size_of(folder / "a") == 3
