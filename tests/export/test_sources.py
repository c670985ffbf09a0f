"""What the user typed is understood, or refused with what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.errors import DeployError
from export.request import parse_input
from export.sources import kind_of
from export.sources.code import code_digest


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("image=1x3x256x256", ("image", (1, 3, 256, 256))),
        ("a=1X7", ("a", (1, 7))),
        ("tokens=77", ("tokens", (77,))),
    ],
)
def test_input_shapes(text: str, found: object) -> None:
    assert parse_input(text) == found


@pytest.mark.parametrize(
    "text",
    ["", "image", "1x3", "=1x3", "image=", "image=1x-3", "image=1x0", "image=1,3", "image=1x3.5", "a=x"],
)
def test_what_is_no_input_shape(text: str) -> None:
    with pytest.raises(DeployError) as caught:
        parse_input(text)
    assert caught.value.error_id == "INPUT-SHAPE"
    assert "NAME=1x3x256x256" in caught.value.remedy


def test_kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs/x").mkdir(parents=True)
    Path("w.pt").write_bytes(b"")
    assert kind_of("runs/x") == "run"
    assert kind_of("timm:resnet18") == "timm"
    assert kind_of("w.pt") == kind_of("absent.pt") == kind_of("folder/absent.pth") == "ultralytics"
    assert kind_of("my_pkg.models:build") == kind_of("models:build") == "python"


@pytest.mark.parametrize(
    ("spec", "error_id"),
    [
        ("runs/absent", "CHECKPOINT-MISSING"),
        ("absent.onnx", "CHECKPOINT-MISSING"),
        ("resnet18", "SOURCE-UNKNOWN"),
        ("my-pkg:build", "SOURCE-UNKNOWN"),
    ],
)
def test_what_is_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, error_id: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DeployError) as caught:
        kind_of(spec)
    assert caught.value.error_id == error_id


def fresh_digest(package: str) -> str:
    import importlib

    importlib.invalidate_caches()
    code_digest.cache_clear()
    return code_digest(package)


@pytest.mark.parametrize("layout", ["package", "namespace", "module"])
def test_a_changed_source_file_is_another_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"digested_{layout}"
    if layout == "module":
        main, helper = tmp_path / f"{name}.py", tmp_path / f"{name}_helper.py"
    else:
        (tmp_path / name / "deep").mkdir(parents=True)
        main, helper = tmp_path / name / "nets.py", tmp_path / name / "deep" / "layers.py"
        if layout == "package":
            (tmp_path / name / "__init__.py").write_text("")
    main.write_text("def build(): ...\n")
    helper.write_text("WIDTH = 8\n")
    first = fresh_digest(name)
    assert fresh_digest(name) == first
    helper.write_text("WIDTH = 16\n")
    second = fresh_digest(name)
    main.write_text("def build(): return 1\n")
    assert len({first, second, fresh_digest(name)}) == 3
