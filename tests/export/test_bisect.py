"""Bisection: the layer that was broken is the layer that is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deploy import cli
from deploy.contracts.artifact import MANIFEST, Artifact
from deploy.errors import DeployError
from deploy.store import sha256_tree
from export.bisect import OBSERVERS
from export.bisect.flow import bisect
from export.bisect.match import by_content, by_name
from export.bisect.protocol import Seen
from export.bisect.reference import Node
from export.bisect.walk import conclude, order_rows
from export.selftest import CORRUPTORS
from tests.device_bench.bright import build_artifact
from tests.export.test_verify import ask
from tests.export.toys import Toy, export


def seen(name: str, *values: float) -> Seen:
    return Seen(name, "op", np.array(values, np.float32))


def chain(*names: str) -> dict[str, Node]:
    """A straight program."""
    return {
        name: Node(name, "op", f"layer.{name}", tuple(names[place - 1 : place]))
        for place, name in enumerate(names)
    }


# matching


def test_values_are_matched_by_the_names_that_converters_leave() -> None:
    reference = {name: np.ones(3, np.float32) for name in ("conv2d", "conv2d_1", "mul", "head_node")}
    names = [
        "conv2d_cast_fp16",
        "conv2d_1_DequantizeLinear_Output",
        "mul_cast_fp16_quantized",
        "head",
        "mul_0",
    ]
    found = by_name([seen(name, 1, 1, 1) for name in names], reference, {"head": "head_node"})
    assert found == {0: "conv2d", 1: "conv2d_1", 2: "mul", 3: "head_node"}


def test_a_renamed_value_is_matched_by_shape_only_when_one_can_be_meant() -> None:
    reference = {"a": np.ones(3, np.float32), "b": np.ones(4, np.float32), "c": np.ones(4, np.float32)}
    assert by_name([seen("x", 1, 1, 1), seen("y", 1, 1, 1, 1)], reference, {}) == {0: "a"}
    assert by_name([seen("a", 1, 1)], reference, {}) == {}


def test_values_without_names_are_matched_by_content() -> None:
    rng = np.random.default_rng(0)
    reference = {name: rng.normal(size=3).astype(np.float32) for name in "abc"}
    values = [seen("?", *(reference[name] + 1e-4)) for name in "cab"]
    assert by_content([*values, seen("?", 1, 2)], reference) == {0: "c", 1: "a", 2: "b"}


# the walk


def test_the_first_value_below_the_tolerance_is_named_not_the_worst() -> None:
    nodes = chain("a", "b", "c", "d")
    found = [("a", "op", "a", 120.0), ("b", "op", "b", 59.0), ("c", "op", "c", 20.0), ("d", "op", "d", 40.0)]
    told = conclude("f", "fp32", 1, order_rows(found, nodes), nodes, ())
    assert told.culprit is not None
    assert (told.culprit.name, told.culprit.module, told.exit_code) == ("b", "layer.b", 3)
    assert [row.fall_db for row in told.rows] == [None, 61.0, 39.0, -20.0]
    assert "It goes wrong at b (op; node b in layer.b): 59.0 dB, below the 60 dB" in told.summary
    assert json.loads(json.dumps(told.to_dict()))["culprit"]["name"] == "b"


def test_a_healthy_file_names_its_steepest_fall_and_exact_inputs_are_no_fall() -> None:
    nodes = chain("a", "b", "c")
    found = [("a", "op", "a", 200.0), ("b", "op", "b", 68.0), ("c", "op", "c", 50.0)]
    told = conclude("f", "fp16", 1, order_rows(found, nodes), nodes, ())
    assert (told.culprit, told.exit_code) == (None, 0)
    assert told.steepest is not None
    assert (told.steepest.name, told.steepest.fall_db) == ("c", 18.0)
    assert conclude("f", "fp16", 1, [], nodes, ()).exit_code == 4


def test_a_fall_is_counted_from_the_nearest_value_that_was_matched() -> None:
    nodes = chain("a", "hidden", "b")
    rows = order_rows([("a", "op", "a", 100.0), ("b", "op", "b", 70.0)], nodes)
    assert rows[1][4] == 30.0


# refusals


def test_one_file_at_a_time(tmp_path: Path) -> None:
    from deploy.store import sha256_file

    reference = build_artifact(tmp_path / "reference", role="reference", clip=False)
    digest = sha256_file(reference / "model.onnx")
    two = [build_artifact(tmp_path / name, reference_sha256=digest, clip=False) for name in ("a", "b")]
    with pytest.raises(DeployError, match="ONE-ARTIFACT"):
        bisect(ask(*two, data=None))


# files


def broken_copy(folder: Path, to: Path, layer: int) -> tuple[Path, str]:
    """The artifact with the weights of one layer negated, beside its reference; the layer's name."""
    import shutil

    shutil.copytree(folder, to)
    artifact = Artifact.load(to / MANIFEST)
    corruptor = CORRUPTORS.open(artifact.target)(folder / artifact.model_file)
    chosen = corruptor.layers()[layer]
    corruptor.write(chosen.weight, -corruptor.read(chosen.weight))
    model = to / artifact.model_file
    if model.is_dir():
        shutil.rmtree(model)
    corruptor.save(model)
    artifact.model_copy(update={"model_sha256": sha256_tree(model)}).save(to / MANIFEST)
    return to, chosen.name


@pytest.mark.slow
def test_the_layer_that_was_broken_is_named(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    """The third weighted layer, the transposed convolution, in every format."""
    built = export(toy.request(precisions=("fp32",)))
    for target in OBSERVERS:
        result = built[target, "fp32"]
        assert result.folder is not None
        healthy = bisect(ask(result.folder, data=None))
        assert healthy.culprit is None, (target, healthy.summary)
        assert healthy.rows
        folder, _ = broken_copy(result.folder, result.folder.parent / f"broken-{target}", 2)
        told = bisect(replace(ask(folder, data=None), limit=1))
        assert told.culprit is not None, target
        if target == "executorch":
            assert any("Inside a delegate" in note for note in told.notes)
            assert told.culprit.op.startswith("delegate")
            continue
        assert "conv_transpose" in told.culprit.reference, (target, told.culprit)
        assert told.culprit.module == "up"
        assert told.culprit.sqnr_db < 10
        assert cli.run(["verify", str(folder), "--bisect", "--json"]) == 3
        payload = json.loads(capsys.readouterr().out)
        assert payload["culprit"]["reference"] == told.culprit.reference
        assert "It goes wrong at" in payload["summary"]
