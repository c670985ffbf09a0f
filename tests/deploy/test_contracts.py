"""Every document survives the disk unchanged, and what is not one of ours is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from deploy.contracts.base import SCHEMA_VERSION, Contract, Document
from deploy.contracts.checkpoint import Checkpoint
from deploy.contracts.decode import BinaryMaskDecode, Decode
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.run import Sample
from deploy.contracts.schemas import DOCUMENTS, json_schema
from deploy.errors import DeployError
from tests.deploy.documents import FOLDER, ONE_OF_EACH, SAMPLES, lines

FILES = [name for name in DOCUMENTS if name != "sample"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


def contracts() -> list[type[Contract]]:
    """Every contract class there is."""
    found, waiting = [], [Contract]
    while waiting:
        waiting += (children := waiting.pop().__subclasses__())
        found += [each for each in children if each.__module__.startswith("deploy.contracts")]
    return found


def anything(contract: type[Contract]) -> st.SearchStrategy[Contract]:
    """Any valid instance: the fields' own types and bounds say what is valid."""
    if contract is Preprocess:
        return preprocess()
    fields = {
        name: st.from_type(
            Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        )
        for name, field in contract.model_fields.items()
        if name != "schema_version"
    }
    if contract is Checkpoint:
        fields["model_args"] = st.dictionaries(st.text(), JSON, max_size=3)
    return st.builds(contract, **fields)


@st.composite
def preprocess(draw: st.DrawFn) -> Preprocess:
    color = draw(st.sampled_from(["RGB", "BGR", "GRAY"]))
    channels = 1 if color == "GRAY" else 3
    number = st.floats(-10, 10)
    positive = st.floats(1e-3, 10)
    return Preprocess(
        input_name=draw(st.text()),
        width=draw(st.integers(1, 4096)),
        height=draw(st.integers(1, 4096)),
        resize=draw(st.sampled_from(["stretch", "letterbox", "shortest_crop", "none"])),
        crop_fraction=draw(st.floats(0.1, 1)),
        color=color,
        mean=tuple(draw(number) for _ in range(channels)),
        std=tuple(draw(positive) for _ in range(channels)),
        input_kind=draw(st.sampled_from(["tensor", "image"])),
    )


st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
for _contract in contracts():
    if _contract is not Document:
        st.register_type_strategy(_contract, anything)


def test_every_contract_is_found() -> None:
    names = {contract.__name__ for contract in contracts()}
    assert {
        "Artifact",
        "Checkpoint",
        "BenchPlan",
        "DeviceRun",
        "AccuracyReport",
        "Verdict",
        "Sample",
    } <= names
    assert {kind.KIND for kind in contracts() if issubclass(kind, Document) and kind is not Document} <= {
        *FILES,
        "job",
    }


@pytest.mark.parametrize("name", list(DOCUMENTS))
@settings(max_examples=20, suppress_health_check=[HealthCheck.data_too_large])  # reports hold many rows
@given(data=st.data())
def test_any_instance_survives_json(name: str, data: st.DataObject) -> None:
    kind = DOCUMENTS[name]
    one = data.draw(st.from_type(kind))
    text = json.dumps(one.to_json(), allow_nan=False)
    if issubclass(kind, Document):
        assert kind.parse(json.loads(text), "here") == one
    assert kind.model_validate_json(text) == one
    assert kind.model_validate_json(text).digest() == one.digest()


@pytest.mark.parametrize("name", FILES)
def test_golden_files_are_these_documents_to_the_byte(name: str, tmp_path: Path) -> None:
    path = FOLDER / f"{name}.json"
    document = DOCUMENTS[name].load(path)  # type: ignore[attr-defined]
    assert document == ONE_OF_EACH[name]
    document.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_golden_samples_are_these_lines_to_the_byte(tmp_path: Path) -> None:
    from device_bench.samples import read_samples, write_rows

    path = FOLDER / "samples.jsonl"
    found = [Sample.model_validate_json(line) for line in path.read_text().splitlines()]
    assert tuple(found) == SAMPLES
    assert path.read_text() == lines()
    with (tmp_path / "again.jsonl").open("w") as stream:
        values = [list(sample.to_json().values())[:6] for sample in found]
        write_rows(stream, [tuple(-1 if value is None else value for value in row) for row in values])
    assert (tmp_path / "again.jsonl").read_bytes() == path.read_bytes()
    assert read_samples(path).infer_ns.tolist() == [sample.infer_ns for sample in SAMPLES]


def test_golden_documents_leave_no_optional_part_out() -> None:
    """Every field is filled in somewhere in the golden file, so that a harness meets all of them."""
    for name in FILES:
        seen: dict[str, bool] = {}

        def walk(value: Any, seen: dict[str, bool] = seen) -> None:
            if isinstance(value, dict):
                for key, inner in value.items():
                    seen[key] = seen.get(key, False) or inner not in (None, [], {})
                    walk(inner)
            elif isinstance(value, list):
                for inner in value:
                    walk(inner)

        walk(json.loads((FOLDER / f"{name}.json").read_text()))
        unused = {key for key, filled in seen.items() if not filled}
        allowed = {
            "accuracy": {"samples_needed"},
            "promptable": {"samples_needed"},
            "run": {"failure", "load_average_before"},
        }
        assert unused <= allowed.get(name, set()), name


@pytest.mark.parametrize("name", list(DOCUMENTS))
def test_documents_fit_their_json_schema(name: str) -> None:
    import jsonschema

    schema = json_schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    payload = ONE_OF_EACH[name].to_json()
    jsonschema.validate(payload, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(payload | {"surprise": 1}, schema)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1, "1", None])
def test_another_schema_version_names_both_versions_and_both_remedies(
    name: str, version: object, tmp_path: Path
) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(ONE_OF_EACH[name].to_json() | {"schema_version": version}))
    with pytest.raises(DeployError) as caught:
        DOCUMENTS[name].load(path)  # type: ignore[attr-defined]
    error = caught.value
    assert error.error_id == "SCHEMA-VERSION"
    assert str(path) in error.summary
    assert f"version {version};" in error.summary
    assert f"reads version {SCHEMA_VERSION}." in error.summary
    assert "Write it again" in error.remedy
    assert f"knows version {version}" in error.remedy


@pytest.mark.parametrize("name", FILES)
def test_one_document_is_not_another(name: str, tmp_path: Path) -> None:
    other = next(each for each in FILES if each != name)
    for payload in (ONE_OF_EACH[other].to_json(), {}, [], "text", None):
        path = tmp_path / "x.json"
        path.write_text(json.dumps(payload))
        with pytest.raises(DeployError) as caught:
            DOCUMENTS[name].load(path)  # type: ignore[attr-defined]
        assert caught.value.error_id == "WRONG-DOCUMENT"
        assert name in caught.value.remedy


@pytest.mark.parametrize("name", FILES)
def test_unknown_missing_and_wrong_fields_are_refused(name: str) -> None:
    kind = DOCUMENTS[name]
    good = ONE_OF_EACH[name].to_json()
    required = next(key for key, field in kind.model_fields.items() if field.is_required())
    broken = [
        good | {"surprise": 1},
        {key: value for key, value in good.items() if key != required},
        good | {required: {"no": "such"}},
    ]
    broken.append(good | {"schema_version": 1, required: "\ud800" if name != "plan" else 3})
    for payload in broken:
        with pytest.raises(DeployError) as caught:
            kind.parse(payload, "phone 7")  # type: ignore[attr-defined]
        assert caught.value.error_id == "CONTRACT-BROKEN"
        assert "phone 7" in caught.value.summary


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_nan_is_no_measurement(number: float, tmp_path: Path) -> None:
    good = ONE_OF_EACH["artifact"].to_json()
    payload = good | {"golden": good["golden"] | {"sqnr_db": number}}
    with pytest.raises(ValidationError, match="finite"):
        ONE_OF_EACH["artifact"].model_validate(payload)
    with pytest.raises(DeployError) as caught:
        DOCUMENTS["artifact"].parse(payload, "a device")  # type: ignore[attr-defined]
    assert caught.value.error_id == "CONTRACT-BROKEN"
    (tmp_path / "x.json").write_text(json.dumps(payload))
    with pytest.raises(DeployError) as caught:
        DOCUMENTS["artifact"].load(tmp_path / "x.json")  # type: ignore[attr-defined]
    assert caught.value.error_id == "JSON-BROKEN"


def test_contracts_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        ONE_OF_EACH["run"].threads = 4  # type: ignore[attr-defined]


def test_the_digest_follows_the_content() -> None:
    one = BinaryMaskDecode(output="logits")
    assert one.digest() == BinaryMaskDecode(output="logits", threshold=0.5).digest()
    assert one.digest() != BinaryMaskDecode(output="logits", threshold=0.6).digest()


def test_the_decode_union_reads_every_kind_by_its_name() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Decode)
    kinds = {each.model_fields["kind"].default for each in get_args(get_args(Decode)[0])}
    assert kinds == {"binary_mask", "classify", "yolo", "tensors"}
    assert adapter.validate_python({"kind": "tensors"}).kind == "tensors"
    with pytest.raises(ValidationError, match="does not match any of the expected tags"):
        adapter.validate_python({"kind": "pose"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0},
        {"crop_fraction": 1.5},
        {"pad_value": 256},
        {"std": (1.0, 0.0, 1.0)},
        {"mean": (0.0,)},
        {"color": "GRAY"},
        {"resize": "crop"},
        {"divisor": 0},
    ],
)
def test_an_impossible_preprocess_block_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Preprocess(**{"input_name": "image", "width": 8, "height": 8, **wrong})
