"""Whole programs: control flow, lists, states, random ops, classifiers, indices out of range, errors."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import pytest

from deploy.errors import DeployError
from export.mil.program import MilProgram
from tests.export.mil.programs import load, mb, run, spec_of, types


def test_loops_and_branches() -> None:
    def build(n: Any, x: Any) -> Any:
        count, total = mb.while_loop(
            _cond=lambda i, y: mb.less(x=i, y=mb.squeeze(x=n)),
            _body=lambda i, y: (mb.add(x=i, y=1), mb.add(x=y, y=x)),
            loop_vars=(0, mb.mul(x=x, y=np.float32(0))),
        )
        high = mb.cond(
            pred=mb.greater(x=count, y=2),
            _true_fn=lambda: mb.mul(x=total, y=np.float32(10)),
            _false_fn=lambda: mb.identity(x=total),
        )
        return count, high

    program = load(build, {"n": ((1,), "int32"), "x": ((2,), "fp32")}, mode="exact32")
    assert program.ops["while_loop"] == 1
    for n, scale in ((0, 0), (2, 2), (3, 30)):
        count, high = program.predict({"n": np.int32([n]), "x": np.float32([1, 2])}).values()
        assert int(count) == n
        assert high.tolist() == [scale, 2 * scale]


def test_lists_grow_and_read_zero_where_nothing_was_written() -> None:
    """The numbers are those of coremltools' own test."""

    def build(a: Any, b: Any) -> Any:
        ls = mb.make_list(init_length=2, elem_shape=(2,))
        first = mb.list_read(ls=ls, index=0)
        ls = mb.list_write(ls=ls, index=0, value=a)
        ls = mb.list_write(ls=ls, index=4, value=b)
        ls = mb.list_scatter(ls=ls, indices=[2, 1], value=np.float32([[-1, -2], [-4, -5]]))
        length = mb.list_length(ls=ls)
        return first, mb.list_read(ls=ls, index=0), mb.list_gather(ls=ls, indices=[4, 2, 3]), length

    found = run(build, {"a": np.float32([1, 3]), "b": np.float32([2, 4])})
    assert [each.tolist() for each in found] == [[0, 0], [1, 3], [[2, 4], [-1, -2], [0, 0]], 5]


def test_states_outlive_a_prediction() -> None:
    @mb.program(
        input_specs=[mb.TensorSpec(shape=(2,), dtype=types.fp16), mb.StateTensorSpec((2,), dtype=types.fp16)],
        opset_version=ct.target.iOS18,
    )
    def counting(x: Any, total: Any) -> Any:
        new = mb.add(x=mb.read_state(input=total), y=x)
        return mb.coreml_update_state(state=total, value=new)

    folder = Path(tempfile.mkdtemp())
    program = MilProgram.from_spec(spec_of(counting, 18, folder), folder)
    assert [each.kind for each in program.inputs] == ["tensor", "state"]
    state, feed = program.make_state(), {"x": np.float32([1, 2])}
    for count in (1, 2, 3):
        (found,) = program.predict(feed, state).values()
        assert found.tolist() == [count, 2 * count]
    assert state.read("total").tolist() == [3, 6]
    state.write("total", np.float32([0, 1]))
    assert next(iter(program.predict(feed, state).values())).tolist() == [1, 3]
    assert next(iter(program.predict(feed).values())).tolist() == [1, 2], "without a state all start at zero"
    with pytest.raises(DeployError, match="MIL-INPUT"):
        state.write("total", np.zeros(3, np.float32))


def test_random_ops_follow_their_distributions_and_seeds() -> None:
    def build(p: Any) -> Any:
        return (
            mb.random_uniform(shape=[4000], low=np.float32(-1), high=np.float32(3), seed=5),
            mb.random_normal(shape=[4000], mean=np.float32(2), stddev=np.float32(0.5), seed=5),
            mb.random_bernoulli(shape=[4000], prob=np.float32(0.25), seed=5),
            mb.random_categorical(x=p, mode="probs", size=4000, seed=5),
            mb.random_normal(shape=[4]),
        )

    feed = {"p": np.float32([[0.1, 0.2, 0.7]])}
    uniform, normal, bernoulli, categorical, free = run(build, feed)
    assert -1 <= uniform.min() < -0.9
    assert 2.9 < uniform.max() < 3
    assert abs(normal.mean() - 2) < 0.05
    assert abs(normal.std() - 0.5) < 0.05
    assert abs(bernoulli.mean() - 0.25) < 0.05
    np.testing.assert_allclose(np.bincount(categorical[0].astype(int)) / 4000, feed["p"][0], atol=0.05)
    again = run(build, feed, seed=1)
    assert np.array_equal(again[0], uniform), "a seed of its own"
    assert not np.array_equal(again[4], free), "the program's seed"


def test_classifiers_name_the_best_and_all_probabilities() -> None:
    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 3))], opset_version=ct.target.iOS16)
    def net(x: Any) -> Any:
        return mb.softmax(x=x, axis=-1)

    model = ct.convert(
        net,
        minimum_deployment_target=ct.target.iOS16,
        classifier_config=ct.ClassifierConfig(["cat", "dog", "owl"]),
        compute_precision=ct.precision.FLOAT32,
        skip_model_load=True,
    )
    found = MilProgram.from_spec(model.get_spec(), None).predict({"x": np.float32([[0, 3, 1]])})
    assert found["classLabel"] == "dog"
    (probabilities,) = [value for value in found.values() if isinstance(value, dict)]
    assert list(probabilities) == ["cat", "dog", "owl"]
    assert sum(probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize("place", [-1, 3])
def test_indices_out_of_range_raise_when_the_program_says_so(place: int) -> None:
    x, where = np.float32([[1, 2], [3, 4]]), np.int32([place, 0])

    def strict(x: Any, i: Any) -> Any:
        return mb.gather(x=x, indices=i, axis=0, validate_indices=True)

    def writing(x: Any, i: Any) -> Any:
        return mb.scatter(data=x, indices=i, updates=x, validate_indices=True)

    for build in (strict, writing):
        with pytest.raises(DeployError, match="MIL-INDEX-OUT-OF-RANGE"):
            run(build, {"x": x, "i": where})
    lax = run(lambda x, i: mb.scatter(data=x, indices=i, updates=x, mode="add"), {"x": x, "i": where})
    assert lax[0].tolist() == [[4, 6], [3, 4]], "what lies outside is not written"


def test_old_programs_count_negative_indices_from_the_end() -> None:
    x, where = np.float32([[1, 2], [3, 4]]), np.int32([-1, 0])
    found = run(
        lambda x, i: (mb.gather(x=x, indices=i, axis=0), mb.scatter(data=x, indices=i, updates=x)),
        {"x": x, "i": where},
        ios=16,
    )
    assert found[0].tolist() == [[3, 4], [1, 2]]
    assert found[1].tolist() == [[4, 6], [4, 6]]


def test_reshape_zeros_align_at_the_right() -> None:
    found = run(lambda x: mb.reshape(x=x, shape=[1, 0, -1, 0]), {"x": np.zeros((2, 50), np.float32)}, ios=17)
    assert found[0].shape == (1, 1, 2, 50)


def test_unknown_ops_are_all_named_at_once() -> None:
    @mb.program(input_specs=[mb.TensorSpec(shape=(2,))], opset_version=ct.target.iOS15)
    def net(x: Any) -> Any:
        return mb.relu(x=mb.relu(x=mb.tanh(x=x)))

    folder = Path(tempfile.mkdtemp())
    spec = spec_of(net, 15, folder)
    (block,) = spec.mlProgram.functions["main"].block_specializations.values()
    for operation in block.operations:
        operation.type = {"relu": "warp", "tanh": "fold_space"}.get(operation.type, operation.type)
    with pytest.raises(DeployError, match=r"MIL-OPS-UNKNOWN: .*fold_space \(1\), warp \(2\)"):
        MilProgram.from_spec(spec, folder)


def test_a_failing_op_is_named() -> None:
    program = load(
        lambda x, y: mb.reshape(x=x, shape=y, name="odd"), {"x": ((2, 3), "fp32"), "y": ((2,), "int32")}
    )
    with pytest.raises(DeployError, match=r"MIL-OP-FAILED: The op reshape \(odd\)"):
        program.predict({"x": np.zeros((2, 3), np.float32), "y": np.int32([4, 2])})


def test_observe_shows_every_value_and_timings_every_op() -> None:
    program = load(lambda x: mb.relu(x=mb.tanh(x=x, name="a"), name="b"), {"x": ((2,), "fp32")})
    seen: dict[str, list[float]] = {}
    feed = {"x": np.float32([-1, 1])}
    found = program.observe(feed, lambda name, value: seen.__setitem__(name, value.tolist()))
    assert list(seen) == ["x", "a", "b"]
    assert seen["b"] == found["b"].tolist()
    assert set(program.timings(feed)) == {"tanh", "relu"}
    assert program.ops == {"tanh": 1, "relu": 1}
