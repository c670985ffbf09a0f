"""Jitter is zero where nothing shakes, grows with shaking, and never comes without quality."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deploy.metrics.flow import ClipFlow, clip_flow, still_flow
from deploy.metrics.jitter import FARTHEST, boundary_acceleration, jitter_series
from deploy.metrics.lag import lag_frames
from deploy.metrics.steadiness import excess, judge_steadiness, mean_figures, ranked
from tests.oracles.pictures import blobs

HEIGHT, WIDTH, FRAMES = 72, 96, 12


def disc(x: float, y: float, radius: float = 14, size: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    rows, columns = np.mgrid[: size[0], : size[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def moving_flow(dx: float, dy: float, frames: int = FRAMES) -> ClipFlow:
    flow = np.zeros((frames - 1, HEIGHT, WIDTH, 2), np.float32)
    flow[...] = dx, dy
    return ClipFlow(flow, np.ones(flow.shape[:3], np.bool_), (HEIGHT, WIDTH))


def textured_clip(step: int, frames: int = 6, size: tuple[int, int] = (120, 160)) -> np.ndarray:
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 255, (size[0] // 4, size[1]), np.uint8).repeat(4, 0).repeat(4, 1)
    window = [wide[: size[0], 40 - step * t + 100 : 40 - step * t + 100 + size[1]] for t in range(frames)]
    return np.repeat(np.array(window)[..., None], 3, axis=-1)


def test_a_constant_correct_mask_on_a_still_clip_has_no_jitter() -> None:
    picture = textured_clip(0)
    masks = np.repeat(disc(80, 60, 30, (120, 160))[None], len(picture), 0)
    judged = judge_steadiness(masks, masks, clip_flow(picture), against="truth")
    assert (judged.flip_rate, judged.acceleration_px, judged.acceleration_p95_px) == (0, 0, 0)
    assert (judged.centroid_px, judged.area_share, judged.temporal_iou) == (0, 0, 1)
    assert (judged.jf, judged.steady_jf) == (1, 1)
    assert judged.excess_flip is not None
    assert (judged.excess_flip.mean, judged.excess_flip.low, judged.excess_flip.high) == (0, 0, 0)


@settings(max_examples=40, deadline=None)
@given(arrays(np.bool_, (4, 9, 11)), arrays(np.bool_, (4, 9, 11)))
def test_figures_of_any_masks_stay_in_range(masks: np.ndarray, truth: np.ndarray) -> None:
    judged = judge_steadiness(masks, truth, still_flow(4, 9, 11), against="truth", replicates=20)
    for value in (judged.flip_rate, judged.temporal_iou, judged.region, judged.boundary, judged.steady_jf):
        assert 0 <= value <= 1
    assert judged.acceleration_px is None or 0 <= judged.acceleration_px <= 4 * FARTHEST
    assert judged.centroid_px is None or judged.centroid_px >= 0


@settings(max_examples=40, deadline=None)
@given(arrays(np.bool_, (4, 9, 11)), arrays(np.bool_, (4, 9, 11)))
def test_steadiness_never_adds_to_quality(masks: np.ndarray, truth: np.ndarray) -> None:
    judged = judge_steadiness(masks, truth, still_flow(4, 9, 11), against="truth", replicates=20)
    pairs = [[0, 1], [1, 2], [2, 3]]
    alone = [
        judge_steadiness(masks[p], truth[p], still_flow(2, 9, 11), against="truth", replicates=20)
        for p in pairs
    ]
    assert judged.steady_jf <= np.mean([a.jf for a in alone]) + 1e-12
    assert judged.steady_jf == pytest.approx(np.mean([a.steady_jf for a in alone]), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(-3, 3), st.integers(-2, 2), st.integers(0, 1000))
def test_flips_do_not_see_motion_that_the_flow_explains(dx: int, dy: int, seed: int) -> None:
    """A mask and its flow translated together score as they do at rest."""
    rng = np.random.default_rng(seed)
    base = np.zeros((FRAMES, HEIGHT, WIDTH), np.bool_)
    shape = blobs(20, 24, seed)
    base[:, 26:46, 36:60] = shape ^ (rng.random((FRAMES, 20, 24)) < 0.05)
    moved = np.array([np.roll(m, (dy * (t - 6), dx * (t - 6)), (0, 1)) for t, m in enumerate(base)])
    still = jitter_series(base, still_flow(FRAMES, HEIGHT, WIDTH)).flip_rate
    assert jitter_series(moved, moving_flow(dx, dy)).flip_rate == pytest.approx(still, abs=1e-12)


def test_flow_of_a_moving_picture_carries_its_mask() -> None:
    picture = textured_clip(3)
    masks = np.array([disc(50 + 3 * t, 60, 25, (120, 160)) for t in range(len(picture))])
    flow = clip_flow(picture)
    followed = judge_steadiness(masks, masks, flow, against="truth")
    frozen = judge_steadiness(np.repeat(masks[:1], len(masks), 0), masks, flow, against="truth")
    assert followed.flip_rate < 0.02 < frozen.flip_rate
    assert frozen.temporal_iou > followed.temporal_iou  # what raw temporal IoU gets wrong
    assert flow.consistent.mean() > 0.8


def test_even_motion_has_no_acceleration_and_trembling_has() -> None:
    even = np.array([disc(20 + 4 * t, 36) for t in range(FRAMES)])
    trembling = np.array([disc(20 + 4 * t + (t % 2) * 2, 36) for t in range(FRAMES)])
    edge = np.zeros((FRAMES, HEIGHT, WIDTH), np.bool_)
    for t in range(FRAMES):
        edge[t, :, : 10 + 3 * t] = True
    assert boundary_acceleration(edge)[0].max() == 0
    # distances at 1080p are 15 times those of a picture of height 72
    assert boundary_acceleration(even)[0].max() < 15 * 1.2
    assert boundary_acceleration(trembling)[0].mean() > 2 * boundary_acceleration(even)[0].mean()


def test_a_trembling_straight_edge_accelerates_by_twice_its_step() -> None:
    edge = np.zeros((FRAMES, 1080, 40), np.bool_)
    for t in range(FRAMES):
        edge[t, :, : 20 + (t % 2) * 3] = True
    mean, p95 = boundary_acceleration(edge)
    assert mean == pytest.approx(6)  # both neighbours are 3 px away on the same side
    assert p95 == pytest.approx(6)


def test_excess_tells_the_device_from_the_model() -> None:
    rng = np.random.default_rng(0)
    reference = np.array([disc(48 + rng.integers(-1, 2), 36) for _ in range(40)])
    device = np.array([disc(48 + rng.integers(-3, 4), 36) for _ in range(40)])
    flow = still_flow(40, HEIGHT, WIDTH)
    same = judge_steadiness(reference, reference, flow, against="reference")
    worse = judge_steadiness(device, reference, flow, against="reference")
    assert same.excess_flip is not None
    assert worse.excess_flip is not None
    assert same.excess_flip.mean == 0
    assert worse.excess_flip.low > 0
    assert worse.excess_acceleration_px is not None
    assert worse.excess_acceleration_px.low > 0
    assert worse.steady_jf < worse.jf


def test_missing_frames_are_left_out_of_the_excess() -> None:
    own, other = np.array([np.nan, 1.0, 3.0]), np.array([1.0, 0.0, np.nan])
    found = excess(own, other)
    assert found is not None
    assert found.mean == 1.0
    assert excess(np.array([np.nan]), np.array([1.0])) is None


def test_an_all_empty_prediction_shows_its_quality_beside_its_steadiness() -> None:
    truth = np.array([disc(30 + 2 * t, 36) for t in range(FRAMES)])
    empty = judge_steadiness(np.zeros_like(truth), truth, moving_flow(2, 0), against="truth")
    assert empty.flip_rate == 0
    assert (empty.region, empty.boundary, empty.steady_jf) == (0, 0, 0)
    assert (empty.acceleration_px, empty.centroid_px, empty.lag) == (None, None, None)
    assert str(empty).startswith("steady J&F 0.000, J&F 0.000, J 0.000")


def test_quality_stands_first_and_ranks_first() -> None:
    truth = np.array([disc(30 + 2 * t, 36) for t in range(FRAMES)])
    frozen = np.repeat(truth[5:6], FRAMES, 0)
    rng = np.random.default_rng(1)
    shaking = np.array([disc(30 + 2 * t + rng.integers(-1, 2), 36) for t in range(FRAMES)])
    flow = moving_flow(2, 0)
    rows = {
        name: judge_steadiness(masks, truth, flow, against="truth")
        for name, masks in (("frozen", frozen), ("truth", truth), ("shaking", shaking))
    }
    assert ranked(rows) == ["truth", "shaking", "frozen"]
    assert list(rows["frozen"].figures())[:4] == ["steady J&F", "J&F", "J", "F"]
    assert mean_figures(rows.values())["J&F"] == pytest.approx(np.mean([r.jf for r in rows.values()]))
    assert mean_figures([]) == {}


def wandering(frames: int = 40) -> np.ndarray:
    rng = np.random.default_rng(2)
    way = np.cumsum(rng.integers(-4, 5, (frames, 2)), axis=0)
    return np.array([disc(48 + np.clip(x, -30, 30), 36 + np.clip(y, -20, 20)) for x, y in way])


@pytest.mark.parametrize("delay", [0, 1, 2, 3])
def test_lag_is_found(delay: int) -> None:
    truth = wandering()
    late = np.concatenate([np.repeat(truth[:1], delay, 0), truth[: len(truth) - delay]])
    assert lag_frames(late, truth) == delay
    assert lag_frames(truth, late) == -delay


def test_lag_of_nothing_moving_is_unknown() -> None:
    still = np.repeat(disc(48, 36)[None], 20, 0)
    assert lag_frames(still, still) is None
    assert lag_frames(np.zeros_like(still), wandering(20)) is None
    assert lag_frames(still[:3], still[:3]) is None


def test_masks_of_another_clip_are_refused() -> None:
    masks = wandering(6)
    with pytest.raises(ValueError, match="do not belong"):
        jitter_series(masks, still_flow(7, HEIGHT, WIDTH))
    with pytest.raises(ValueError, match="2 or more"):
        judge_steadiness(masks[:1], masks[:1], still_flow(2, HEIGHT, WIDTH), against="truth")
    with pytest.raises(ValueError, match="frames must be"):
        clip_flow(np.zeros((3, 4, 5), np.uint8))
