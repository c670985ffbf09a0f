"""Bundles: parts that say what the whole model says, tied by hashes, and a chain that answers as the run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.bundles.chain import Chain
from deploy.bundles.opening import find_reference_bundle, open_bundle
from deploy.cli import run as deploy
from deploy.contracts.bundle import BUNDLE, PART_ROLES, Bundle
from deploy.contracts.promptable import PromptableReport
from deploy.errors import DeployError, ExitCode
from deploy.prompts.types import Answer, Prompt
from export.bundles.flow import build_bundles
from export.bundles.plan import part_precision
from tests.export.fakes import inline
from tests.export.promptable.conftest import EXPORTED, REFERENCE, Made, quick_request
from training.data.prompted_shapes import PromptedShapes
from training.models.promptable.answerer import open_student

PROMPTS = (
    Prompt("red disc"),
    Prompt("blue cross"),
    Prompt("shape", points=np.asarray([[0.4, 0.5, 1], [0.9, 0.1, 0]], np.float32)),
    Prompt("shape", box=np.asarray([0.2, 0.2, 0.7, 0.6], np.float32)),
)


def far(one: Answer, other: Answer) -> float:
    """The largest difference between two answers, masks by their own size."""
    masks = np.abs(one.masks - other.masks).max() / max(1.0, float(np.abs(other.masks).max()))
    return max(
        float(masks), float(np.abs(one.scores - other.scores).max()), abs(one.presence - other.presence)
    )


def edit(path: Path, **changes: Any) -> None:
    payload = json.loads(path.read_text())
    path.write_text(json.dumps(payload | changes))


def test_the_chain_says_what_the_run_says(made: Made) -> None:
    picture = PromptedShapes(3, part="held_out").picture(1).image
    wanted = open_student(made.run).answer(picture, PROMPTS)
    for name, allowed in ((REFERENCE, 1e-5), (EXPORTED, 0.02)):
        chain = Chain(open_bundle(made.out / name))
        found = chain.answer(picture, PROMPTS)
        assert chain.kinds == {"text", "point", "box"}
        assert max(map(far, found, wanted)) < allowed, name
        chain.answer(picture, PROMPTS[:1])
        assert chain.encoded_pictures == 1, "several prompts about one picture run the encoder once"
        chain.answer(picture[::-1], PROMPTS[:1])
        assert chain.encoded_pictures == 2


def test_what_was_written(made: Made) -> None:
    assert [result.folder and result.folder.name for result in made.results] == [REFERENCE, EXPORTED]
    exported, reference = (open_bundle(made.out / name) for name in (EXPORTED, REFERENCE))
    assert exported.bundle.reference_identity == reference.bundle.identity
    assert reference.bundle.reference_identity == reference.bundle.identity
    assert exported.bundle.identity != reference.bundle.identity
    found = find_reference_bundle(exported, None)
    assert found is not None and found.bundle == reference.bundle
    parts = exported.check()
    assert parts["image_encoder"].artifact.preprocess is not None
    assert [spec.name for spec in parts["mask_decoder"].artifact.outputs] == ["masks", "scores", "presence"]
    assert parts["text_encoder"].artifact.inputs[0].dtype == "int32"
    for role in PART_ROLES:
        assert parts[role].artifact.parity.status == "PASS"
        assert parts[role].artifact.source.spec.endswith(f"#{role}")
        assert parts[role].artifact.golden.samples[0].id != "noise-0", "samples are real"
    assert "red disc now" in exported.embeddings
    rows = np.load(made.out / EXPORTED / "text_encoder/golden/00.in.ids.npy")
    assert tuple(rows[0].tolist()) in set(exported.bundle.encoded.ids.values())


def test_a_second_export_comes_from_the_cache(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("nothing is left to convert or to encode")

    monkeypatch.setenv("POCKETPROOF_CACHE", str(made.cache))
    monkeypatch.setattr("export.build.Workers", never)
    monkeypatch.setattr("export.bundles.phrases.in_process", never)
    before = (made.out / EXPORTED / BUNDLE).stat().st_mtime_ns
    again = build_bundles(quick_request(made.run, made.out))
    assert all(result.cached for result in again)
    assert (made.out / EXPORTED / BUNDLE).stat().st_mtime_ns == before, "the same bundle stays"


def test_a_swapped_part_is_refused(bundles: Path) -> None:
    """The fp32 decoder is a good decoder, and it is not this bundle's."""
    shutil.rmtree(bundles / EXPORTED / "mask_decoder")
    shutil.copytree(bundles / REFERENCE / "mask_decoder", bundles / EXPORTED / "mask_decoder")
    with pytest.raises(DeployError, match=r"BUNDLE-CHANGED.*mask decoder"):
        Chain(open_bundle(bundles / EXPORTED))


@pytest.mark.parametrize(
    ("file", "error"),
    [
        ("phrases.npy", "BUNDLE-CHANGED"),
        ("mask_decoder/artifact.json", "BUNDLE-CHANGED"),
        ("mask_decoder/model.onnx", "ARTIFACT-CHANGED"),
    ],
)
def test_changed_bytes_are_refused(bundles: Path, file: str, error: str) -> None:
    path = bundles / EXPORTED / file
    payload = path.read_bytes()
    path.write_bytes(
        payload.replace(b'"seed": 0', b'"seed": 1') if file.endswith("json") else payload[:-4] + b"\0\0\1\0"
    )
    with pytest.raises(DeployError, match=error):
        Chain(open_bundle(bundles / EXPORTED))


def test_a_bundle_points_nowhere_else(bundles: Path) -> None:
    document = Bundle.load(bundles / EXPORTED / BUNDLE)
    parts = document.parts.to_json()
    parts["mask_decoder"]["folder"] = f"../{REFERENCE}/mask_decoder"
    edit(bundles / EXPORTED / BUNDLE, parts=parts)
    with pytest.raises(DeployError, match="PATH-OUTSIDE"):
        open_bundle(bundles / EXPORTED).check()


def test_an_unknown_phrase_names_the_known_ones(made: Made) -> None:
    chain = Chain(open_bundle(made.out / EXPORTED))
    with pytest.raises(DeployError, match=r"UNKNOWN-PHRASE.*blue cross.*--phrase \"purple disc\""):
        chain.answer(np.zeros((32, 32, 3), np.uint8), [Prompt("purple disc")])


def test_embeddings_of_another_encoder_are_found_out(
    bundles: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Even with a hash that fits: verify asks the bundle's own text encoder."""
    from deploy.store import sha256_file

    path, document = bundles / EXPORTED / "phrases.npy", Bundle.load(bundles / EXPORTED / BUNDLE)
    np.save(path, np.load(path)[::-1].copy())
    changed = document.encoded.model_copy(update={"sha256": sha256_file(path)})
    edit(bundles / EXPORTED / BUNDLE, encoded=changed.to_json())
    asked = ["verify", str(bundles / EXPORTED), "--task", "promptable_masks", "--limit", "2"]
    assert deploy([*asked, "--out", str(tmp_path), "--json"]) == ExitCode.ERROR
    assert json.loads(capsys.readouterr().out)["error"] == "BUNDLE-CHANGED"


def test_precisions_of_the_parts() -> None:
    assert part_precision("image_encoder", "w8a8") == ("w8a8", None)
    assert part_precision("mask_decoder", "w8a8")[0] == "fp16"
    assert part_precision("mask_decoder", "w8") == ("w8", None)


def test_what_no_bundle_has_is_refused(made: Made, tmp_path: Path, capsys: Any) -> None:
    asked = ["export", str(made.run), "-t", "coreml", "-p", "w4", "--out", str(tmp_path), "--json"]
    assert deploy(asked) == ExitCode.ERROR
    told = json.loads(capsys.readouterr().out)
    assert told["error"] == "BUNDLE-PRECISION" and "fp16" in told["remedy"]
    assert deploy(["export", f"{made.run}#head", "-t", "onnx", "--json"]) == ExitCode.ERROR
    assert json.loads(capsys.readouterr().out)["error"] == "UNKNOWN-PART"
    phrase = ["export", f"{made.run}#text_encoder", "-t", "onnx", "--phrase", "a disc", "--json"]
    assert deploy(phrase) == ExitCode.ERROR
    assert json.loads(capsys.readouterr().out)["error"] == "OPTION-UNUSED"


@pytest.mark.parametrize("student", ["run", "reference"])
def test_verify_compares_the_chain_with_its_student(
    made: Made, bundles: Path, tmp_path: Path, student: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if student == "reference":
        for name in (EXPORTED, REFERENCE):
            document = Bundle.load(bundles / name / BUNDLE)
            moved = document.source.model_copy(update={"spec": "runs/gone"})
            edit(bundles / name / BUNDLE, source=moved.to_json())
    asked = ["verify", str(bundles / EXPORTED), "--task", "promptable_masks", "--limit", "6"]
    deploy([*asked, "--replicates", "100", "--out", str(tmp_path / "results"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert "error" not in told, told
    report = PromptableReport.load(tmp_path / f"results/{EXPORTED}-promptable/promptable.json")
    assert [row.role for row in report.rows] == ["truth", "student", "exported"]
    assert report.rows[1].name == ("prompts" if student == "run" else REFERENCE)
    chain = report.rows[2]
    assert chain.sha256 == open_bundle(bundles / EXPORTED).bundle.identity
    assert chain.verdict is not None and chain.taints == ()
    assert {figure.metric for figure in chain.figures} == {figure.metric for figure in report.rows[1].figures}


def test_phrases_survive_an_encoder_that_dies(made: Made, tmp_path: Path, monkeypatch: Any) -> None:
    """A crash takes one encoder's bundle with it, and the others are encoded."""
    from export.bundles.phrases import Encoding, encode_phrases

    monkeypatch.setenv("POCKETPROOF_CACHE", str(tmp_path))
    monkeypatch.setattr("export.bundles.phrases.in_process", inline)
    good = made.out / EXPORTED / "text_encoder"
    ids = np.asarray([[1, 2, 3, 0, 0, 0, 0, 0, 0, 0]], np.int32)
    found = encode_phrases([Encoding(tmp_path / "none", "a"), Encoding(good, "b")], ids, 1)
    assert isinstance(found[0], str) and isinstance(found[1], bytes)
