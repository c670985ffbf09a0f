"""The flow with a converter that only copies: cache, folders, rows and refusals, without waiting."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from deploy import cli
from deploy.contracts.artifact import MANIFEST, Artifact
from deploy.errors import DeployError
from deploy.store import sha256_bytes, sha256_file, sha256_tree
from deploy.vision.images import read_rgb, write_png
from deploy.vision.preprocess import prepare
from export.build import build
from export.cache import cache_key
from export.request import ExportRequest
from export.samples import ParitySamples
from export.sources import open_source
from export.sources.code import code_digest
from tests.export.fakes import InProcess
from tests.export.toys import NETS, Toy, export

QUICK = {"targets": ("Quick",)}
REFERENCE = ("torch", "fp32")

pytestmark = pytest.mark.usefixtures("in_process")


def refused(request: ExportRequest) -> DeployError:
    """The error an export ends in."""
    with pytest.raises(DeployError) as caught:
        build(request)
    return caught.value


def weights_of(toy: Toy, path: Path, scale: float = 1.0) -> Path:
    """The model's weights in a file, the head's multiplied."""
    state = {name: tensor.clone() for name, tensor in toy.module().state_dict().items()}
    state["head.weight"] *= scale
    save_file(state, path)
    return path


# what is built


def test_reference_and_export_lie_there_with_proofs_and_golden_samples(toy: Toy) -> None:
    results = export(toy.request(**QUICK, precisions=("fp32", "fp16")))
    assert list(results) == [REFERENCE, ("Quick", "fp32"), ("Quick", "fp16")]
    assert toy.left() == ["toy-Quick-fp16", "toy-Quick-fp32", "toy-reference"]
    reference = results[REFERENCE].artifact
    assert reference is not None
    assert reference.role == "reference"
    assert reference.reference_sha256 == reference.model_sha256
    for result in results.values():
        assert result.folder is not None
        artifact = Artifact.load(result.folder / MANIFEST)
        assert artifact == result.artifact
        assert artifact.parity.status == "PASS"
        assert artifact.reference_sha256 == reference.model_sha256
        assert sha256_tree(result.folder / artifact.model_file) == artifact.model_sha256
        files = {path.relative_to(result.folder).as_posix() for path in result.folder.rglob("*.npy")}
        tensors = [t for sample in artifact.golden.samples for t in (*sample.inputs, *sample.outputs)]
        assert {tensor.file for tensor in tensors} == files
        assert len(artifact.golden.samples) == 2
        for tensor in tensors:
            assert sha256_file(result.folder / tensor.file) == tensor.sha256


def test_golden_samples_say_what_the_model_says(toy: Toy) -> None:
    result = export(toy.request(**QUICK))["Quick", "fp32"]
    assert result.folder is not None
    assert result.artifact is not None
    assert result.artifact.preprocess is not None
    module = toy.module()
    for sample in result.artifact.golden.samples:
        assert sample.image is not None
        image = read_rgb(result.folder / sample.image)
        assert sha256_bytes((result.folder / sample.image).read_bytes()) == sample.image_sha256
        stored = np.load(result.folder / sample.inputs[0].file)
        assert np.array_equal(prepare(image, result.artifact.preprocess)[0], stored)
        with torch.inference_mode():
            expected = module(torch.from_numpy(stored)).numpy()
        np.testing.assert_allclose(np.load(result.folder / sample.outputs[0].file), expected, atol=1e-6)


def test_two_inputs_without_pictures(toy: Toy) -> None:
    found = export(toy.request("two_doors", **QUICK, inputs=(("a", (1, 12)), ("b", (1, 20)))))
    artifact = found["Quick", "fp32"].artifact
    assert artifact is not None
    assert artifact.preprocess is None
    assert [spec.name for spec in artifact.inputs] == ["a", "b"]
    assert [tensor.name for tensor in artifact.golden.samples[0].inputs] == ["a", "b"]
    assert artifact.golden.samples[0].image is None


@pytest.mark.parametrize(
    ("function", "names"),
    [("named", ["sigmoid", "cat", "conv2d"]), ("pair", ["output_0", "output_1", "output_2"])],
)
def test_outputs_keep_their_names_and_order(toy: Toy, function: str, names: list[str]) -> None:
    artifact = export(toy.request(function, **QUICK))["Quick", "fp32"].artifact
    assert artifact is not None
    assert [spec.name for spec in artifact.outputs] == names
    assert len({spec.shape for spec in artifact.outputs}) == (3 if function == "named" else 2)


def test_samples_of_the_users_own(toy: Toy, tmp_path: Path) -> None:
    for index in range(5):
        picture = np.random.default_rng(index).integers(0, 256, (50, 40, 3), np.uint8)
        write_png(tmp_path / "mine" / f"{index}.png", picture)
    artifact = export(toy.request(**QUICK, samples=tmp_path / "mine", sample_count=3))[
        "Quick", "fp32"
    ].artifact
    assert artifact is not None
    assert [sample.id for sample in artifact.golden.samples] == ["0", "2", "4"]


# the cache


def test_the_second_time_nothing_is_converted(toy: Toy, in_process: type[InProcess]) -> None:
    first = export(toy.request(**QUICK))
    assert in_process.started == 1
    before = {path: path.stat().st_mtime_ns for path in (toy.root / "artifacts").rglob("*")}
    second = export(toy.request(**QUICK))
    assert in_process.started == 1
    assert [result.cached for result in second.values()] == [True, True]
    assert [result.artifact for result in second.values()] == [result.artifact for result in first.values()]
    assert before == {path: path.stat().st_mtime_ns for path in (toy.root / "artifacts").rglob("*")}


def test_a_removed_or_damaged_folder_is_brought_back(toy: Toy, in_process: type[InProcess]) -> None:
    first = export(toy.request(**QUICK))["Quick", "fp32"]
    assert first.folder is not None
    assert first.artifact is not None
    (first.folder / "model.pt2").write_bytes(b"changed")
    shutil.rmtree(toy.root / "artifacts" / "toy-reference")
    again = export(toy.request(**QUICK))
    assert in_process.started == 1
    assert sha256_file(first.folder / "model.pt2") == first.artifact.model_sha256
    assert all(result.cached for result in again.values())
    assert toy.left() == ["toy-Quick-fp32", "toy-reference"]


def test_a_damaged_golden_sample_is_brought_back(toy: Toy, in_process: type[InProcess]) -> None:
    first = export(toy.request(**QUICK))["Quick", "fp32"]
    assert first.folder is not None
    golden = next(first.folder.glob("golden/*.npy"))
    content = golden.read_bytes()
    golden.unlink()
    export(toy.request(**QUICK))
    assert in_process.started == 1
    assert golden.read_bytes() == content


def test_a_damaged_cache_entry_is_no_entry(toy: Toy, in_process: type[InProcess]) -> None:
    export(toy.request(**QUICK))
    for model in (toy.root / "cache").rglob("model.pt2"):
        model.write_bytes(b"rot")
    shutil.rmtree(toy.root / "artifacts")
    again = export(toy.request(**QUICK))["Quick", "fp32"]
    assert in_process.started == 2
    assert not again.cached
    assert again.folder is not None
    assert (again.folder / "model.pt2").read_bytes() != b"rot"


def test_only_what_is_missing_is_converted_and_judged_by_the_same_reference(
    toy: Toy, in_process: type[InProcess]
) -> None:
    first = export(toy.request(**QUICK))
    both = export(toy.request(**QUICK, precisions=("fp32", "fp16")))
    assert in_process.started == 2
    assert [result.cached for result in both.values()] == [True, True, False]
    hashes = {
        result.artifact.reference_sha256 for result in (*first.values(), *both.values()) if result.artifact
    }
    assert len(hashes) == 1


def test_another_checkpoint_under_the_same_name_never_ships_the_old_model(toy: Toy) -> None:
    path = weights_of(toy, toy.root / "w.safetensors")
    first = export(toy.request(**QUICK, weights=path))["Quick", "fp32"].artifact
    weights_of(toy, path, scale=2.0)
    second = export(toy.request(**QUICK, weights=path))["Quick", "fp32"]
    assert first is not None
    assert second.artifact is not None
    assert not second.cached
    assert second.artifact.model_sha256 != first.model_sha256
    assert second.artifact.reference_sha256 != first.reference_sha256


def test_a_function_that_reads_its_own_weights_is_not_answered_from_the_cache(toy: Toy) -> None:
    torch.save(torch.tensor(1.0), toy.root / "own.pth")
    toy.nets.write_text(
        NETS
        + f"""
class Scaled(Block):
    def __init__(self):
        super().__init__()
        self.register_buffer("scale", torch.load({str(toy.root / "own.pth")!r}, weights_only=True))

    def forward(self, image):
        return super().forward(image) * self.scale


def scaled():
    torch.manual_seed(0)
    return Scaled()
"""
    )
    first = export(toy.request("scaled", **QUICK))["Quick", "fp32"]
    same = export(toy.request("scaled", **QUICK))["Quick", "fp32"]
    torch.save(torch.tensor(3.0), toy.root / "own.pth")
    other = export(toy.request("scaled", **QUICK))["Quick", "fp32"]
    assert (first.cached, same.cached, other.cached) == (False, True, False)
    assert first.artifact is not None
    assert other.artifact is not None
    assert first.artifact.reference_sha256 != other.artifact.reference_sha256


def test_no_cache_makes_the_same_reference_again(toy: Toy) -> None:
    first = export(toy.request(**QUICK))
    second = export(toy.request(**QUICK, use_cache=False))
    for cell in first:
        one, two = first[cell].artifact, second[cell].artifact
        assert one is not None
        assert two is not None
        assert not second[cell].cached
        assert one.model_sha256 == two.model_sha256
        assert one.golden == two.golden


def keys(request: ExportRequest) -> tuple[str, ...]:
    """Cache keys of the reference, ONNX and Core ML."""
    code_digest.cache_clear()
    source = open_source(request)
    fingerprint = source.fingerprint()
    digest = ParitySamples(request, source.training_data).digest
    cells = (REFERENCE, ("onnx", "fp32"), ("coreml", "fp32"), ("executorch", "fp32"))
    return tuple(cache_key(request, fingerprint, digest, None, *cell) for cell in cells)


def test_the_key_is_the_content_not_the_path(toy: Toy, tmp_path: Path) -> None:
    here = weights_of(toy, tmp_path / "w.safetensors")
    (tmp_path / "elsewhere").mkdir()
    there = Path(shutil.copy(here, tmp_path / "elsewhere" / "v.safetensors"))
    base = toy.request(weights=here)
    same = [
        base,
        replace(base, weights=there),
        replace(base, out=tmp_path / "out"),
        replace(base, name="else"),
        replace(base, threads=1),
        replace(base, targets=("onnx",)),
        replace(base, use_cache=False),
    ]
    assert len({keys(request) for request in same}) == 1


def test_whatever_shapes_a_file_changes_its_key(toy: Toy, tmp_path: Path) -> None:
    here, other = weights_of(toy, tmp_path / "w.safetensors"), weights_of(toy, tmp_path / "v.safetensors", 2)
    base = toy.request(weights=here)
    block = tmp_path / "block.json"
    block.write_text("{}")
    changed = [
        base,
        replace(base, weights=other),
        replace(base, inputs=(("image", (1, 3, 32, 32)),)),
        replace(base, inputs=(("picture", (1, 3, 64, 64)),)),
        replace(base, preprocess=block),
        replace(base, decode=block),
        replace(base, seed=1),
        replace(base, sample_count=3),
    ]
    found = [keys(request) for request in changed]
    for column in range(4):
        assert len({row[column] for row in found}) == len(changed)
    toy.nets.write_text(NETS + "\n# changed\n")
    assert keys(base)[0] not in {row[0] for row in found}


def test_core_mls_settings_concern_core_mls_files_alone(toy: Toy) -> None:
    base, image = keys(toy.request()), keys(toy.request(coreml_input="image", coreml_target="iOS16"))
    assert [one == two for one, two in zip(base, image, strict=True)] == [True, True, False, True]
    delegate = keys(toy.request(executorch_backend="coreml"))
    assert [one == two for one, two in zip(base, delegate, strict=True)] == [True, True, True, False]


# what goes wrong with one target is a row


def test_a_mislabelled_file_is_not_saved(toy: Toy) -> None:
    results = export(toy.request(targets=("Mislabels", "Quick"), precisions=("fp16",)))
    row = results["Mislabels", "fp16"].row
    assert row is not None
    assert (row.status, row.error_id) == ("refused", "PRECISION-MISMATCH")
    assert toy.left() == ["toy-Quick-fp16", "toy-reference"]


def test_a_converters_own_exception_is_a_row_and_its_log_is_kept(
    toy: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    results = export(toy.request(targets=("Raises",), precisions=("fp32", "fp16")))
    assert results["Raises", "fp32"].artifact is not None
    row = results["Raises", "fp16"].row
    assert row is not None
    assert (row.status, row.error_id) == ("crashed", "CONVERTER-FAILED")
    assert row.reason == "NotImplementedError: op 'frobnicate' is unknown"
    assert "Raises-fp16.crash.log" in toy.left()
    assert "frobnicate" in capsys.readouterr().err


def test_exit_code_three_when_a_row_failed(
    toy: Toy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(toy.root)
    spec = toy.request().spec
    common = ["export", spec, "--input", "image=1x3x64x64", "--sample-count", "2", "--json", "-p", "fp16"]
    assert cli.run([*common, "-t", "Quick,Raises"]) == 3
    payload = json.loads(capsys.readouterr().out)
    assert [result["artifact"] is not None for result in payload["results"]] == [True, True, False]
    assert payload["results"][2]["row"]["error_id"] == "CONVERTER-FAILED"
    assert cli.run([*common, "-t", "Quick"]) == 0
    payload = json.loads(capsys.readouterr().out)
    assert [result["cached"] for result in payload["results"]] == [True, True]


# bad input: a clear error and nothing half-written


@pytest.mark.parametrize("given", ["onxx", "all,onxx", "ONNX", ""])
def test_a_mistyped_target_lists_the_right_ones(
    toy: Toy, given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["-t", given, "--input", "image=1x3x64x64", "--out", str(toy.root / "artifacts")]
    assert cli.run(["export", toy.request().spec, *arguments]) == 1
    shown = capsys.readouterr().err
    assert "UNKNOWN-TARGET" in shown
    assert "onnx, coreml, executorch" in shown
    assert toy.left() == []


def test_a_mistyped_precision_lists_the_right_ones(toy: Toy) -> None:
    error = refused(toy.request(**QUICK, precisions=("fp61",)))
    assert error.error_id == "UNKNOWN-PRECISION"
    assert "fp32, fp16" in error.remedy
    assert toy.left() == []


@pytest.mark.parametrize(
    ("function", "error_id"),
    [
        ("absent", "SOURCE-UNKNOWN"),
        ("nothing", "MODEL-BUILD"),
        ("raises", "MODEL-BUILD"),
        ("sometimes", "CAPTURE-FAILED"),
        ("doubles", "OUTPUT-KIND"),
        ("counts", "OUTPUT-KIND"),
        ("infinite", "OUTPUT-NAN"),
    ],
)
def test_models_that_cannot_be_exported(toy: Toy, function: str, error_id: str) -> None:
    error = refused(toy.request(function, **QUICK))
    assert error.error_id == error_id
    assert toy.left() == []


def test_a_package_that_is_not_there(toy: Toy) -> None:
    error = refused(toy.request(**QUICK, spec="no_such_package.models:build"))
    assert error.error_id == "SOURCE-UNKNOWN"
    assert "no_such_package" in error.summary


@pytest.mark.parametrize("shape", [(1, 4, 64, 64), (1, 3, 64), (1, 64, 64, 3)])
def test_a_shape_that_does_not_fit(toy: Toy, shape: tuple[int, ...]) -> None:
    error = refused(toy.request(**QUICK, inputs=(("image", shape),)))
    assert error.error_id == "INPUT-SHAPE"
    assert "x".join(map(str, shape)) in error.summary
    assert toy.left() == []


def test_no_shape_at_all(toy: Toy) -> None:
    error = refused(toy.request(**QUICK, inputs=()))
    assert error.error_id == "INPUT-SHAPE"
    assert "--input image=1x3x256x256" in error.remedy


class Evil:
    """A pickle that leaves a file behind when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, (f"touch {self.mark}",))


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_weights_that_are_missing_cut_or_hostile(toy: Toy, tmp_path: Path, suffix: str) -> None:
    path, mark = tmp_path / f"w{suffix}", tmp_path / "mark"
    missing = refused(toy.request(**QUICK, weights=path))
    assert missing.error_id in ("CHECKPOINT-MISSING", "FILE-UNREADABLE")
    assert str(path) in missing.summary
    if suffix == ".safetensors":
        weights_of(toy, path)
    else:
        torch.save(toy.module().state_dict(), path)
    whole = path.read_bytes()
    for cut in (0, 5, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert refused(toy.request(**QUICK, weights=path)).error_id == "CHECKPOINT-BROKEN", cut
    torch.save({"head.weight": Evil(mark)}, path)
    hostile = refused(toy.request(**QUICK, weights=path))
    assert hostile.error_id == ("CHECKPOINT-BROKEN" if suffix == ".safetensors" else "CHECKPOINT-UNSAFE")
    assert not mark.exists()
    assert toy.left() == []


def test_weights_that_do_not_fit(toy: Toy, tmp_path: Path) -> None:
    state = toy.module().state_dict()
    path = tmp_path / "w.safetensors"
    save_file({name: t for name, t in state.items() if name != "head.bias"}, path)
    error = refused(toy.request(**QUICK, weights=path))
    assert error.error_id == "WEIGHTS-MISMATCH"
    assert "head.bias" in error.summary
    save_file(state | {"mix.weight": torch.zeros(9, 8, 3, 3)}, path)
    error = refused(toy.request(**QUICK, weights=path))
    assert error.error_id == "WEIGHTS-MISMATCH"
    assert "9x8x3x3" in error.summary
    assert toy.left() == []


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_weight_that_is_no_number(toy: Toy, tmp_path: Path, bad: float) -> None:
    state = {name: tensor.clone() for name, tensor in toy.module().state_dict().items()}
    state["mix.weight"][0, 0, 0, 0] = bad
    save_file(state, tmp_path / "w.safetensors")
    error = refused(toy.request(**QUICK, weights=tmp_path / "w.safetensors"))
    assert error.error_id == "WEIGHTS-NAN"
    assert "mix.weight" in error.summary
    assert toy.left() == []


@pytest.mark.parametrize(
    ("text", "error_id"),
    [
        ("{", "JSON-BROKEN"),
        ("[]", "CONTRACT-BROKEN"),
        ('{"input_name": "image", "width": 64}', "CONTRACT-BROKEN"),
        ('{"input_name": "image", "width": 64, "height": 64, "colour": "RGB"}', "CONTRACT-BROKEN"),
        ('{"input_name": "picture", "width": 64, "height": 64}', "INPUT-SHAPE"),
        ('{"input_name": "image", "width": 32, "height": 64}', "INPUT-SHAPE"),
    ],
)
def test_a_preprocess_file_that_does_not_fit(toy: Toy, tmp_path: Path, text: str, error_id: str) -> None:
    (tmp_path / "p.json").write_text(text)
    assert refused(toy.request(**QUICK, preprocess=tmp_path / "p.json")).error_id == error_id
    assert toy.left() == []


@pytest.mark.parametrize(
    ("text", "error_id"),
    [
        ('{"kind": "pose"}', "CONTRACT-BROKEN"),
        ('{"kind": "binary_mask"}', "CONTRACT-BROKEN"),
        ('{"kind": "binary_mask", "output": "logits"}', "DECODE-OUTPUT"),
    ],
)
def test_a_decode_file_that_does_not_fit(toy: Toy, tmp_path: Path, text: str, error_id: str) -> None:
    (tmp_path / "d.json").write_text(text)
    assert refused(toy.request(**QUICK, decode=tmp_path / "d.json")).error_id == error_id
    assert toy.left() == []


def test_samples_that_are_missing_empty_or_unreadable(toy: Toy, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    assert refused(toy.request(**QUICK, samples=folder)).error_id == "DATA-MISSING"
    folder.mkdir()
    assert refused(toy.request(**QUICK, samples=folder)).error_id == "DATA-EMPTY"
    (folder / "notes.txt").write_text("no picture")
    assert refused(toy.request(**QUICK, samples=folder)).error_id == "DATA-EMPTY"
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    error = refused(toy.request(**QUICK, samples=folder))
    assert error.error_id == "IMAGE-UNREADABLE"
    assert "broken.jpg" in error.summary
    assert toy.left() == []


def test_run_folders_that_are_missing_unfinished_or_changed(toy: Toy, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    request = toy.request(**QUICK, spec=str(run), inputs=())
    assert refused(request).error_id == "CHECKPOINT-MISSING"
    assert refused(replace(request, spec=str(tmp_path / "absent" / "run"))).error_id == "CHECKPOINT-MISSING"
    golden = Path(__file__).parents[1] / "golden" / "checkpoint.json"
    payload = json.loads(golden.read_text())
    (run / "checkpoint.json").write_text(json.dumps(payload | {"schema_version": 99}))
    error = refused(request)
    assert error.error_id == "SCHEMA-VERSION"
    assert "99" in error.summary
    assert "99" in error.remedy
    shutil.copy(golden, run / "checkpoint.json")
    assert refused(request).error_id == "CHECKPOINT-MISSING"
    (run / payload["weights_file"]).write_bytes(b"other weights")
    assert refused(request).error_id == "CHECKPOINT-CHANGED"
    (run / "checkpoint.json").write_text(golden.read_text()[:200])
    assert refused(request).error_id == "JSON-BROKEN"
    assert toy.left() == []


# the disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 96 KiB: the model fits, its artifacts do not."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk(toy: Toy, small_disk: Path) -> None:
    assert refused(toy.request(**QUICK, out=small_disk / "artifacts")).error_id == "DISK-FULL"
    assert list(small_disk.rglob("*.part")) == []
    assert list((small_disk / "artifacts").iterdir()) == []


def test_a_disk_that_is_full_from_the_start(toy: Toy, small_disk: Path) -> None:
    with pytest.raises(OSError, match="space"):
        (small_disk / "filler").write_bytes(bytes(1 << 20))
    assert refused(toy.request(**QUICK, out=small_disk / "artifacts")).error_id == "DISK-FULL"


def test_a_read_only_folder(toy: Toy, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    error = refused(toy.request(**QUICK, out=small_disk / "artifacts"))
    assert error.error_id == "NOT-WRITABLE"
    assert "--out" in error.remedy


def test_a_file_where_the_output_folder_should_be(toy: Toy) -> None:
    (toy.root / "artifacts").write_text("mine")
    assert refused(toy.request(**QUICK)).error_id == "NOT-A-FOLDER"
    assert (toy.root / "artifacts").read_text() == "mine"


def test_a_cache_that_cannot_be_written_costs_a_note(
    toy: Toy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (toy.root / "blocked").write_text("a file")
    monkeypatch.setenv("POCKETPROOF_CACHE", str(toy.root / "blocked"))
    results = export(toy.request(**QUICK))
    assert all(result.artifact is not None for result in results.values())
    assert "not cached" in capsys.readouterr().err


def test_an_interrupted_capture_leaves_nothing(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("export.build.write_program", interrupt)
    with pytest.raises(KeyboardInterrupt):
        build(toy.request(**QUICK))
    assert toy.left() == []
