"""Matching against brute force and by hand, and truth that must be yes or no."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from deploy.errors import DeployError
from training.distill.geometry import boxes_of, generalised_iou, mask_iou
from training.distill.matcher import MatchSettings, costs, demand_bool, match


def _best(prices: np.ndarray) -> float:
    """The cheapest assignment by trying all."""
    queries, things = prices.shape
    if queries >= things:
        return min(
            sum(prices[p[t], t] for t in range(things))
            for p in itertools.permutations(range(queries), things)
        )
    return _best(prices.T)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (1, 3)])
def test_hungarian_is_the_cheapest_of_all(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(shape[0])
    for _ in range(10):
        prices = torch.rand(1, *shape, generator=generator)
        found = match(prices, torch.tensor([shape[1]]), MatchSettings())
        assert len(found.query) == min(shape)
        paid = float(prices[0, found.query, found.object].sum())
        assert paid == pytest.approx(_best(prices[0].numpy()), abs=1e-6)


def test_greedy_takes_the_cheapest_pair_first() -> None:
    prices = torch.tensor([[[0.1, 0.2], [0.15, 0.9]]])
    greedy = match(prices, torch.tensor([2]), MatchSettings(method="greedy"))
    assert list(zip(greedy.query.tolist(), greedy.object.tolist(), strict=True)) == [(0, 0), (1, 1)]
    whole = match(prices, torch.tensor([2]), MatchSettings())
    assert sorted(zip(whole.query.tolist(), whole.object.tolist(), strict=True)) == [(0, 1), (1, 0)]


def test_only_real_objects_are_matched_and_no_more_than_asked() -> None:
    prices = torch.rand(3, 5, 4, generator=torch.Generator().manual_seed(0))
    found = match(prices, torch.tensor([0, 2, 4]), MatchSettings())
    assert torch.bincount(found.answer, minlength=3).tolist() == [0, 2, 4]
    assert (found.object[found.answer == 1] < 2).all()
    few = match(prices, torch.tensor([0, 2, 4]), MatchSettings(most=1))
    assert torch.bincount(few.answer, minlength=3).tolist() == [0, 1, 1]
    last = few.answer == 2
    assert float(prices[2, few.query[last], few.object[last]]) == pytest.approx(
        float(prices[2, found.query[found.answer == 2], found.object[found.answer == 2]].min())
    )
    assert len(match(prices, torch.tensor([0, 0, 0]), MatchSettings()).query) == 0


def test_a_hundred_queries_and_three_objects_give_three_pairs() -> None:
    """A teacher's hundred queries all matched is what over-segmented the original project."""
    found = match(torch.rand(1, 100, 3), torch.tensor([3]), MatchSettings())
    assert len(found.query) == 3


def test_weak_masks_are_matched_by_where_they_are() -> None:
    """Low-confidence masks against bool truth: the right pairs; against truth sent through a sigmoid (0 to
    one half) the same masks are no longer told apart, which is why only bool is taken."""
    truth = torch.zeros(1, 2, 8, 8, dtype=torch.bool)
    truth[0, 0, :3, :3] = True
    truth[0, 1, 5:, 5:] = True
    weak = torch.full((1, 2, 8, 8), 0.02)
    weak[0, 0][truth[0, 1]] = 0.08
    weak[0, 1][truth[0, 0]] = 0.08
    boxes, scores = torch.zeros(1, 2, 4), torch.zeros(1, 2)
    how = MatchSettings(beta=0, gamma=0)
    cost = costs(weak, boxes, scores, truth.float(), boxes, how)
    found = match(cost, torch.tensor([2]), how)
    assert dict(zip(found.query.tolist(), found.object.tolist(), strict=True)) == {0: 1, 1: 0}
    for wrong in (truth.float(), truth.float().sigmoid(), truth.to(torch.uint8)):
        with pytest.raises(DeployError, match="TRUTH-NOT-BOOL"):
            demand_bool(wrong)


def test_overlaps_and_boxes_by_hand() -> None:
    one = torch.zeros(1, 2, 4, 4, dtype=torch.bool)
    one[0, 0, :2, :2] = True
    two = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    two[0, 0, :2, 1:3] = True
    assert mask_iou(one.float(), two.float())[0, 0, 0] == pytest.approx(2 / 6)
    assert mask_iou(one.float(), two.float())[0, 1, 0] == 0
    assert boxes_of(one)[0, 0].tolist() == [0.25, 0.25, 0.5, 0.5]
    assert boxes_of(one)[0, 1].tolist() == [0, 0, 0, 0]
    assert boxes_of(two)[0, 0].tolist() == [0.5, 0.25, 0.5, 0.5]
    same = torch.tensor([[[0.5, 0.5, 0.2, 0.2]]])
    assert float(generalised_iou(same, same)) == pytest.approx(1, abs=1e-5)
    apart = torch.tensor([[[0.1, 0.1, 0.2, 0.2]]])
    assert float(generalised_iou(same, apart)) == pytest.approx(-(0.6**2 - 0.08) / 0.6**2, abs=1e-5)
