"""Ops against torch (or numpy) on shapes, axes, pads and strides that hypothesis makes up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.nn import functional as F

from tests.export.mil.programs import mb, run

SEEDS = st.integers(0, 2**16)
SMALL = st.integers(1, 3)


def _normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def _close(found: np.ndarray, wanted: torch.Tensor | np.ndarray, tolerance: float = 2e-5) -> None:
    assert found.shape == tuple(wanted.shape)
    np.testing.assert_allclose(found, np.asarray(wanted), rtol=tolerance, atol=tolerance)


@given(
    st.integers(1, 3),
    SEEDS,
    SMALL,
    SMALL,
    st.sampled_from([1, 2]),
    st.lists(st.integers(0, 2), min_size=6, max_size=6),
)
def test_conv_with_custom_pads(
    axes: int, seed: int, kernel: int, stride: int, groups: int, pads: list[int]
) -> None:
    x, weight, bias = (
        _normal(seed, 2, 4, *[7] * axes),
        _normal(seed + 1, 6, 4 // groups, *[kernel] * axes),
        _normal(seed, 6),
    )
    pads = pads[: 2 * axes]

    def build(x: Any) -> Any:
        return mb.conv(
            x=x, weight=weight, bias=bias, strides=[stride] * axes, pad_type="custom", pad=pads, groups=groups
        )

    padded = F.pad(torch.from_numpy(x), [p for i in range(axes - 1, -1, -1) for p in pads[2 * i : 2 * i + 2]])
    conv = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[axes]
    wanted = conv(padded, torch.from_numpy(weight), torch.from_numpy(bias), stride, 0, 1, groups)
    _close(run(build, {"x": x})[0], wanted)


@given(SEEDS, st.integers(4, 9), SMALL, SMALL, SMALL, st.sampled_from(["same", "same_lower"]))
def test_conv_that_keeps_its_size(
    seed: int, size: int, kernel: int, stride: int, dilation: int, kind: str
) -> None:
    x, weight = _normal(seed, 1, 2, size, size + 1), _normal(seed + 1, 3, 2, kernel, kernel)

    def build(x: Any) -> Any:
        return mb.conv(x=x, weight=weight, strides=[stride] * 2, dilations=[dilation] * 2, pad_type=kind)

    pads = []
    for length in (size + 1, size):
        total = max((-(-length // stride) - 1) * stride + (kernel - 1) * dilation + 1 - length, 0)
        pads += [total // 2, total - total // 2] if kind == "same" else [total - total // 2, total // 2]
    wanted = F.conv2d(F.pad(torch.from_numpy(x), pads), torch.from_numpy(weight), None, stride, 0, dilation)
    _close(run(build, {"x": x})[0], wanted)


@given(
    st.integers(1, 3),
    SEEDS,
    SMALL,
    SMALL,
    SMALL,
    st.sampled_from([1, 2]),
    st.integers(0, 1),
    st.integers(0, 1),
)
def test_conv_transpose(
    axes: int, seed: int, kernel: int, stride: int, dilation: int, groups: int, low: int, high: int
) -> None:
    reach = (4 - 1) * stride + (kernel - 1) * dilation + 1
    assume(reach > low + high)
    x, weight, bias = (
        _normal(seed, 1, 4, *[4] * axes),
        _normal(seed + 1, 4, 3, *[kernel] * axes),
        _normal(seed, 3 * groups),
    )
    conv = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}[axes]
    full = conv(*map(torch.from_numpy, (x, weight, bias)), stride, 0, 0, groups, dilation)
    common = {
        "weight": weight,
        "bias": bias,
        "strides": [stride] * axes,
        "dilations": [dilation] * axes,
        "groups": groups,
    }

    def build(x: Any) -> Any:
        return (
            mb.conv_transpose(x=x, pad_type="custom", pad=[low, high] * axes, **common),
            mb.conv_transpose(x=x, pad_type="valid", **common),
        )

    cropped = full
    for axis in range(2, 2 + axes):
        cropped = cropped.narrow(axis, low, reach - low - high)
    found = run(build, {"x": x})
    _close(found[0], cropped)
    _close(found[1], full)


def test_conv_transpose_with_an_output_shape() -> None:
    x, weight, bias = _normal(0, 1, 2, 3, 3), _normal(1, 2, 4, 3, 3), _normal(2, 4)

    def build(x: Any) -> Any:
        return (
            mb.conv_transpose(
                x=x, weight=weight, bias=bias, strides=[2, 2], pad_type="same", output_shape=[1, 4, 6, 6]
            ),
            mb.conv_transpose(
                x=x, weight=weight, bias=bias, strides=[2, 2], pad_type="same", output_shape=[1, 4, 5, 5]
            ),
        )

    full = F.conv_transpose2d(*map(torch.from_numpy, (x, weight, bias)), 2)
    found = run(build, {"x": x})
    _close(found[0], full[..., :6, :6])
    _close(found[1], full[..., 1:6, 1:6])


@given(SEEDS, st.integers(5, 9), st.integers(2, 3), SMALL, st.integers(0, 1), st.booleans())
def test_pools(seed: int, size: int, kernel: int, stride: int, pad: int, ceil: bool) -> None:
    assume(not ceil or pad or stride <= kernel)
    x = _normal(seed, 2, 3, size, size)
    common = {"kernel_sizes": [kernel] * 2, "strides": [stride] * 2, "pad_type": "custom", "pad": [pad] * 4}

    def build(x: Any) -> Any:
        return (
            mb.max_pool(x=x, ceil_mode=ceil, **common),
            mb.avg_pool(x=x, ceil_mode=ceil, exclude_padding_from_average=True, **common),
            mb.avg_pool(x=x, ceil_mode=ceil, exclude_padding_from_average=False, **common),
            mb.l2_pool(x=x, **common),
        )

    t = torch.from_numpy(x)
    found = run(build, {"x": x})
    _close(found[0], F.max_pool2d(t, kernel, stride, pad, 1, ceil))
    _close(found[1], F.avg_pool2d(t, kernel, stride, pad, ceil, False))
    _close(found[2], F.avg_pool2d(t, kernel, stride, pad, ceil, True))
    squares = F.avg_pool2d(F.pad(t * t, [pad] * 4), kernel, stride) * kernel**2
    _close(found[3], squares.sqrt())


@given(SEEDS, st.integers(1, 2), st.integers(1, 5))
def test_norms(seed: int, axes: int, size: int) -> None:
    x, gamma, beta = _normal(seed, 2, 4, *[5] * axes), _normal(seed + 1, 4), _normal(seed + 2, 4)
    mean, variance = _normal(seed + 3, 4), np.abs(_normal(seed + 4, 4)) + np.float32(0.1)
    affine = {"gamma": gamma, "beta": beta, "epsilon": np.float32(1e-3)}

    def build(x: Any) -> Any:
        return (
            mb.batch_norm(x=x, mean=mean, variance=variance, **affine),
            mb.instance_norm(x=x, **affine),
            mb.layer_norm(x=x, axes=[-1], epsilon=np.float32(1e-3)),
            mb.local_response_norm(
                x=x, size=size, alpha=np.float32(0.5), beta=np.float32(0.6), k=np.float32(2)
            ),
            mb.batch_norm(x=x, mean=mean, variance=variance),
        )

    t, g, b, m, v = map(torch.from_numpy, (x, gamma, beta, mean, variance))
    found = run(build, {"x": x})
    _close(found[0], F.batch_norm(t, m, v, g, b, eps=1e-3))
    _close(found[1], F.instance_norm(t, weight=g, bias=b, eps=1e-3), 1e-4)
    _close(found[2], F.layer_norm(t, [5], eps=1e-3), 1e-4)
    if axes > 1:  # of three axes, the first are the channels
        _close(found[3], F.local_response_norm(t, size, 0.5, 0.6, 2.0))
    _close(found[4], F.batch_norm(t, m, v))


@given(SEEDS, st.integers(2, 7), st.integers(2, 7), st.integers(1, 14), st.integers(1, 14))
def test_resizes_that_torch_has(seed: int, high: int, wide: int, height: int, width: int) -> None:
    assume(height > 1 and width > 1)
    x = _normal(seed, 1, 2, high, wide)

    def build(x: Any) -> Any:
        return (
            mb.resize_bilinear(
                x=x, target_size_height=height, target_size_width=width, sampling_mode="STRICT_ALIGN_CORNERS"
            ),
            mb.resize_bilinear(
                x=x, target_size_height=height, target_size_width=width, sampling_mode="UNALIGN_CORNERS"
            ),
            mb.resize_nearest_neighbor(x=x, target_size_height=height, target_size_width=width),
            mb.upsample_bilinear(x=x, scale_factor_height=2, scale_factor_width=3, align_corners=False),
            mb.upsample_nearest_neighbor(x=x, scale_factor_height=2, scale_factor_width=3),
            mb.resize(x=x, shape=[height, 0], resized_dims=np.uint32(2), sampling_mode="UNALIGN_CORNERS"),
        )

    t = torch.from_numpy(x)
    found = run(build, {"x": x})
    _close(found[0], F.interpolate(t, (height, width), mode="bilinear", align_corners=True), 1e-4)
    _close(found[1], F.interpolate(t, (height, width), mode="bilinear", align_corners=False), 1e-4)
    _close(found[2], F.interpolate(t, (height, width), mode="nearest"))
    _close(found[3], F.interpolate(t, scale_factor=(2, 3), mode="bilinear", align_corners=False))
    _close(found[4], F.interpolate(t, scale_factor=(2, 3), mode="nearest"))
    _close(found[5], F.interpolate(t, (height, wide), mode="bilinear", align_corners=False), 1e-4)


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("UNALIGN_CORNERS", [0.0, 0.1, 0.5, 0.9, 1.0]),
        ("STRICT_ALIGN_CORNERS", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("ALIGN_CORNERS", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("DEFAULT", [0.0, 0.4, 0.8, 1.0, 1.0]),
        ("OFFSET_CORNERS", [0.1, 0.3, 0.5, 0.7, 0.9]),
    ],
)
def test_the_grids_of_the_documentation(mode: str, wanted: list[float]) -> None:
    x = np.array([[[0.0, 1.0]]], np.float32)
    found = run(
        lambda x: mb.resize_bilinear(x=x, target_size_height=1, target_size_width=5, sampling_mode=mode),
        {"x": x},
    )
    np.testing.assert_allclose(found[0].ravel(), wanted, atol=1e-6)


def test_nearest_resize_rounds() -> None:
    x = np.array([-6.174, 9.371], np.float32).reshape(1, 1, 2, 1)
    found = run(
        lambda x: mb.resize(
            x=x, shape=[1, 1, 3, 2], resized_dims=np.uint32(2), interpolation_mode="NEAREST_NEIGHBOR"
        ),
        {"x": x},
    )
    np.testing.assert_allclose(
        found[0].ravel(), np.array([-6.174, -6.174, 9.371, 9.371, 9.371, 9.371], np.float32)
    )


def test_boxes_upside_down_and_beyond_the_picture() -> None:
    """The numbers are those of coremltools' own tests."""
    x = np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)
    boxes = np.array([[0.1, 0.3, 1.3, 1.0], [0.5, 1.8, 1.0, 0.3], [0.0, 0.4, 0.6, 0.7]], np.float32)
    common = {"target_width": 2, "target_height": 2, "sampling_mode": "ALIGN_CORNERS"}

    def new(x: Any) -> Any:
        indices = np.zeros(3, np.int32)
        return mb.crop_resize(
            x=x,
            boxes=boxes,
            box_indices=indices,
            normalized_coordinates=True,
            pad_value=np.float32(10),
            **common,
        )

    def old(x: Any) -> Any:
        upside_down = np.array([2, 2, 1, 1], np.float32).reshape(1, 1, 4, 1, 1)
        whole = {**common, "sampling_mode": "UNALIGN_CORNERS", "normalized_coordinates": True}
        return mb.crop_resize(x=x, roi=upside_down, **common), mb.crop_resize(x=x, roi=upside_down, **whole)

    wanted = [3.1, 5.2, 10, 10, 10, 7.9, 10, 13.9, 2.2, 3.1, 9.4, 10.3]
    np.testing.assert_allclose(run(new, {"x": x})[0].ravel(), wanted, atol=1e-4)
    found = run(old, {"x": x}, ios=15)
    assert found[0].ravel().tolist() == [11, 10, 7, 6]
    assert found[1].ravel().tolist() == [3.5, 5.5, 11.5, 13.5]


@given(
    SEEDS, st.sampled_from(["bilinear", "nearest"]), st.sampled_from(["constant", "border"]), st.booleans()
)
def test_resample_as_grid_sample(seed: int, sampling: str, padding: str, align: bool) -> None:
    x = _normal(seed, 2, 3, 5, 4)
    grid = np.random.default_rng(seed).uniform(-1.4, 1.4, (2, 3, 6, 2)).astype(np.float32)

    def build(x: Any, grid: Any) -> Any:
        return mb.resample(
            x=x,
            coordinates=grid,
            sampling_mode=sampling,
            padding_mode=padding,
            padding_value=np.float32(0),
            coordinates_mode="normalized_minus_one_to_one",
            align_corners=align,
        )

    mode = "zeros" if padding == "constant" else "border"
    wanted = F.grid_sample(torch.from_numpy(x), torch.from_numpy(grid), sampling, mode, align)
    _close(run(build, {"x": x, "grid": grid})[0], wanted, 1e-4)


@given(
    SEEDS,
    st.integers(1, 4),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from(["forward", "reverse", "bidirectional"]),
)
def test_lstm(seed: int, steps: int, batch: int, bias: bool, direction: str) -> None:
    torch.manual_seed(seed)
    twice = direction == "bidirectional"
    net = torch.nn.LSTM(3, 4, bias=bias, bidirectional=twice)
    x, h, c = (
        _normal(seed, steps, batch, 3),
        _normal(seed + 1, batch, 4 + 4 * twice),
        _normal(seed + 2, batch, 4 + 4 * twice),
    )

    def gates(name: str) -> np.ndarray:  # torch: i, f, g, o; MIL: i, f, o, g
        i, f, g, o = getattr(net, name).detach().chunk(4)
        return torch.cat([i, f, o, g]).numpy()

    weights = {}
    for suffix, back in (("", ""), ("_reverse", "_back")) if twice else (("", ""),):
        weights |= {
            f"weight_ih{back}": gates(f"weight_ih_l0{suffix}"),
            f"weight_hh{back}": gates(f"weight_hh_l0{suffix}"),
        }
        if bias:
            weights[f"bias{back}"] = gates(f"bias_ih_l0{suffix}") + gates(f"bias_hh_l0{suffix}")

    def build(x: Any, h: Any, c: Any) -> Any:
        return mb.lstm(x=x, initial_h=h, initial_c=c, direction=direction, output_sequence=True, **weights)

    found = run(build, {"x": x, "h": h, "c": c})
    flip = (lambda t: t.flip(0)) if direction == "reverse" else (lambda t: t)

    def split(a: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(a).reshape(batch, -1, 4).transpose(0, 1).contiguous()

    with torch.no_grad():
        y, (hn, cn) = net(flip(torch.from_numpy(x)), (split(h), split(c)))
    _close(found[0], y, 1e-4)  # in reverse: in the order in which states are computed
    _close(found[1], hn.transpose(0, 1).reshape(batch, -1), 1e-4)
    _close(found[2], cn.transpose(0, 1).reshape(batch, -1), 1e-4)


@given(SEEDS, st.integers(1, 4), st.booleans())
def test_gru_with_the_reset_gate_after_the_product(seed: int, steps: int, backwards: bool) -> None:
    torch.manual_seed(seed)
    net = torch.nn.GRU(3, 4)
    x, h = _normal(seed, steps, 2, 3), _normal(seed + 1, 2, 4)

    def gates(tensor: torch.Tensor) -> np.ndarray:  # torch: r, z, n; MIL: r, n, z
        r, z, n = tensor.detach().chunk(3)
        return torch.cat([r, n, z]).numpy()

    def build(x: Any, h: Any) -> Any:
        return mb.gru(
            x=x,
            initial_h=h,
            weight_ih=gates(net.weight_ih_l0),
            weight_hh=gates(net.weight_hh_l0),
            bias=gates(net.bias_hh_l0),
            input_bias=gates(net.bias_ih_l0),
            reset_after=True,
            output_sequence=True,
            direction="reverse" if backwards else "forward",
        )

    t = torch.from_numpy(x)
    with torch.no_grad():
        y, last = net(t.flip(0) if backwards else t, torch.from_numpy(h)[None])
    found = run(build, {"x": x, "h": h}, ios=18)
    _close(found[0], y, 1e-4)  # in the order in which states are computed
    _close(found[1], last[0], 1e-4)


def test_gru_resets_before_the_product_by_default() -> None:
    x, h, wi, wh, b = _normal(0, 1, 1, 2), _normal(1, 1, 3), _normal(2, 9, 2), _normal(3, 9, 3), _normal(4, 9)
    found = run(
        lambda x, h: mb.gru(x=x, initial_h=h, weight_ih=wi, weight_hh=wh, bias=b, output_sequence=True),
        {"x": x, "h": h},
    )
    sigmoid = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
    r = sigmoid(x[0] @ wi[:3].T + h @ wh[:3].T + b[:3])
    z = sigmoid(x[0] @ wi[6:].T + h @ wh[6:].T + b[6:])
    o = np.tanh(x[0] @ wi[3:6].T + (r * h) @ wh[3:6].T + b[3:6])
    _close(found[0][0], (1 - z) * o + z * h)


@given(SEEDS, st.booleans())
def test_rnn(seed: int, backwards: bool) -> None:
    torch.manual_seed(seed)
    net = torch.nn.RNN(3, 4, nonlinearity="relu")
    x, h = _normal(seed, 3, 2, 3), _normal(seed + 1, 2, 4)
    wi, wh = net.weight_ih_l0.detach().numpy(), net.weight_hh_l0.detach().numpy()
    bias = (net.bias_ih_l0 + net.bias_hh_l0).detach().numpy()

    def build(x: Any, h: Any) -> Any:
        way = "reverse" if backwards else "forward"
        return mb.rnn(
            x=x,
            initial_h=h,
            weight_ih=wi,
            weight_hh=wh,
            bias=bias,
            activation="relu",
            direction=way,
            output_sequence=True,
        )

    t = torch.from_numpy(x)
    with torch.no_grad():
        y, _ = net(t.flip(0) if backwards else t, torch.from_numpy(h)[None])
    _close(run(build, {"x": x, "h": h})[0], y, 1e-4)


def _scattered(data: np.ndarray, places: list[tuple[Any, np.ndarray]], mode: str) -> np.ndarray:
    result = data.copy()
    merge = {
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
        "div": np.divide,
        "max": np.maximum,
        "min": np.minimum,
    }
    for where, value in places:
        result[where] = value if mode == "update" else merge[mode](result[where], value)
    return result


@given(SEEDS, st.sampled_from(["add", "sub", "mul", "div", "max", "min", "update"]), st.integers(0, 2))
def test_scatters(seed: int, mode: str, axis: int) -> None:
    rng = np.random.default_rng(seed)
    data = rng.uniform(0.5, 2, (3, 4, 5)).astype(np.float32)
    count = 3
    indices = rng.integers(0, data.shape[axis], count).astype(np.int32)
    shape = [*data.shape[:axis], count, *data.shape[axis + 1 :]]
    updates = rng.uniform(0.5, 2, shape).astype(np.float32)
    deep = np.stack([rng.integers(0, size, 4) for size in data.shape[:2]], -1).astype(np.int32)
    deep_updates = rng.uniform(0.5, 2, (4, 5)).astype(np.float32)

    def build(data: Any, updates: Any) -> Any:
        return (
            mb.scatter(data=data, indices=indices, updates=updates, axis=axis, mode=mode),
            mb.scatter_nd(data=data, indices=deep, updates=deep_updates, mode=mode),
        )

    found = run(build, {"data": data, "updates": updates})
    lead = (slice(None),) * axis
    places = [((*lead, place), updates[(*lead, i)]) for i, place in enumerate(indices)]
    _close(found[0], _scattered(data, places, mode))
    _close(found[1], _scattered(data, [(tuple(d), u) for d, u in zip(deep, deep_updates, strict=True)], mode))


def test_gather_nd_with_batches_and_negative_indices() -> None:
    x = _normal(0, 2, 3, 4)
    flat, batched = np.array([[1, -1], [-2, 0]], np.int32), np.array([[[2, 1]], [[0, -1]]], np.int32)
    found = run(
        lambda x: (mb.gather_nd(x=x, indices=flat), mb.gather_nd(x=x, indices=batched, batch_dims=1)),
        {"x": x},
        ios=16,
    )
    _close(found[0], np.stack([x[1, 2], x[0, 0]]))
    _close(found[1], np.stack([x[0, 2, 1], x[1, 0, 3]])[:, None])


@given(SEEDS, st.sampled_from([1, 2]), st.sampled_from([1, 2, 3]))
def test_rearrangements(seed: int, axis: int, size: int) -> None:
    x = _normal(seed, 1, 8, 4, 6)

    def build(x: Any) -> Any:
        deep = mb.space_to_depth(x=x, block_size=2)
        batch = mb.space_to_batch(x=x, block_shape=[2, 3], paddings=[[1, 1], [0, 0]])
        return (
            mb.pixel_shuffle(x=x, upscale_factor=2),
            mb.pixel_unshuffle(x=x, downscale_factor=np.uint32(2)),
            mb.depth_to_space(x=deep, block_size=2),
            mb.batch_to_space(x=batch, block_shape=[2, 3], crops=[[1, 1], [0, 0]]),
            mb.sliding_windows(x=x, axis=axis, size=size, stride=2),
            mb.crop(x=x, crop_height=[1, 0], crop_width=[2, 1]),
            mb.silu(x=x),
            mb.concat(values=[x, x], axis=1, interleave=True),
            mb.reshape_like(x=x, ref_tensors=[x, x], begins=[0, 1], ends=[1, 0], end_masks=[False, True]),
        )

    t = torch.from_numpy(x)
    found = run(build, {"x": x})
    _close(found[0], F.pixel_shuffle(t, 2))
    _close(found[1], F.pixel_unshuffle(t, 2))
    _close(found[2], t)
    _close(found[3], t)
    _close(found[4], t.unfold(axis, size, 2).movedim(-1, axis + 1))
    _close(found[5], t[..., 1:, 2:-1])
    _close(found[6], F.silu(t))
    _close(found[7], t.repeat_interleave(2, 1))
    _close(found[8], t)


@given(SEEDS, st.lists(st.integers(0, 4), min_size=3, max_size=3))
def test_reverse_sequence(seed: int, lengths: list[int]) -> None:
    x = _normal(seed, 3, 4, 2)
    wanted = x.copy()
    for batch, length in enumerate(lengths):
        wanted[batch, :length] = x[batch, :length][::-1]

    def build(x: Any) -> Any:
        turned = mb.transpose(x=x, perm=[1, 0, 2])
        return (
            mb.reverse_sequence(x=x, lengths=np.int32(lengths), seq_axis=1, batch_axis=0),
            mb.reverse_sequence(x=turned, lengths=np.int32(lengths), seq_axis=0, batch_axis=1),
        )

    found = run(build, {"x": x})
    _close(found[0], wanted)
    _close(found[1], wanted.transpose(1, 0, 2))


def test_quantize_and_back() -> None:
    x = _normal(0, 2, 3, 4)
    scale, zero = np.array([0.1, 0.02, 0.3], np.float32), np.array([1, -2, 3], np.int8)

    def build(x: Any) -> Any:
        q = mb.quantize(input=x, scale=scale, zero_point=zero, axis=1, output_dtype="int8")
        return mb.dequantize(input=q, scale=scale, zero_point=zero, axis=1)

    s, z = scale[:, None], zero[:, None].astype(np.float32)
    _close(run(build, {"x": x})[0], (np.clip(np.round(x / s) + z, -128, 127) - z) * s)


def test_one_hot_fill_and_exclusive_sums() -> None:
    x = np.array([2, 0, 1], np.int32)

    def build(x: Any) -> Any:
        return (
            mb.one_hot(indices=x, one_hot_vector_size=4, axis=0, on_value=5, off_value=2),
            mb.cumsum(x=x, axis=0, exclusive=True),
            mb.cumsum(x=x, axis=0, exclusive=True, reverse=True),
        )

    found = run(build, {"x": x})
    assert found[0].tolist() == (np.eye(4, dtype=int)[x].T * 3 + 2).tolist()
    assert found[1].tolist() == [0, 2, 2]
    assert found[2].tolist() == [1, 1, 0]
    assert all(value.dtype == np.int32 for value in found)


@pytest.mark.parametrize("by_class", [False, True])
def test_non_maximum_suppression(by_class: bool) -> None:
    import torchvision

    rng = np.random.default_rng(0)
    boxes = rng.uniform(0.1, 1, (1, 30, 4)).astype(np.float32)
    scores = rng.uniform(0, 1, (1, 30, 3)).astype(np.float32)

    def old(b: Any, s: Any) -> Any:
        return mb.non_maximum_suppression(
            boxes=b,
            scores=s,
            iou_threshold=np.float32(0.3),
            score_threshold=np.float32(0.5),
            max_boxes=12,
            per_class_suppression=by_class,
        )

    found = run(old, {"b": boxes, "s": scores}, ios=15)
    c = torch.from_numpy(boxes[0])
    corners = torch.cat([c[:, :2] - c[:, 2:] / 2, c[:, :2] + c[:, 2:] / 2], 1)
    best, label = torch.from_numpy(scores[0]).max(1)
    good = torch.nonzero(best >= 0.5)[:, 0]
    kinds = label[good] if by_class else torch.zeros_like(good)
    kept = good[torchvision.ops.batched_nms(corners[good], best[good], kinds, 0.3)][:12]
    count = len(kept)
    assert int(found[3][0]) == count
    assert found[2][0].tolist() == kept.tolist() + [-1] * (12 - count)
    _close(found[0][0, :count], boxes[0][kept])
    _close(found[1][0, :count], scores[0][kept])
    assert not found[0][0, count:].any()
