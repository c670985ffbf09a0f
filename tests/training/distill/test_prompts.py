"""Sampled prompts: truth by hand, shares delivered and checked, empty and noise pictures."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from deploy.errors import DeployError
from deploy.prompts.types import PromptedObject, PromptedPicture, Vocabulary
from training.data.prompted_shapes import PromptedShapes
from training.distill.blank import emptied, noise
from training.distill.encode import encode_prompts
from training.distill.prompts import PromptSampler, PromptShares, box, demand_kinds, frequent_phrases, point
from training.distill.shares import count_asked, delivered
from training.distill.teachers import open_teacher
from training.text import open_tokenizer

WORLD = PromptedShapes(60, 3)
PICTURES = [WORLD.picture(index) for index in range(len(WORLD))]
VOCABULARY = WORLD.vocabulary


def _counted(shares: PromptShares, pictures: list[PromptedPicture], rounds: int = 20) -> Counter[str]:
    sampler, total = PromptSampler(VOCABULARY, shares), Counter[str]()
    rng = np.random.default_rng(1)
    for _ in range(rounds):
        for picture in pictures:
            total.update(count_asked(sampler.draw(picture, 4, rng)))  # type: ignore[arg-type]
    return total


def test_every_prompt_says_what_is_true() -> None:
    sampler, rng = PromptSampler(VOCABULARY, PromptShares()), np.random.default_rng(0)
    for picture in PICTURES:
        for each in sampler.draw(picture, 20, rng):
            if each.prompt.kind == "text":
                assert each.objects == VOCABULARY.meant(picture, each.prompt.text)
            if each.source in ("hard", "absent"):
                assert not each.objects
            if each.source == "category":
                assert each.objects
            if each.source == "hard":
                there = {word for thing in picture.objects for word in thing.concept.split()}
                assert there & set(each.prompt.text.split()) or "shape" in each.prompt.text


def test_clicks_mean_the_object_under_them() -> None:
    """The truth as a teacher works the meaning of a point and a box out for itself, and agrees."""
    teacher, rng = open_teacher("truth", WORLD), np.random.default_rng(2)
    missed = 0
    for picture in PICTURES:
        for make in (point, box):
            asked = make(picture, VOCABULARY.neutral, rng)
            assert asked.prompt.text == VOCABULARY.neutral
            answer = teacher.answer(picture.image, [asked.prompt])[0]
            assert len(answer.masks) == len(asked.objects) == int(answer.presence)
            missed += not asked.objects
            if asked.objects:
                assert np.array_equal(answer.masks[0] > 0, picture.objects[asked.objects[0]].mask)
    assert 3 <= missed <= 25


def test_stated_shares_are_delivered() -> None:
    shares = PromptShares(generic=0.25, category=0.25, hard=0.35, absent=0.15, text=0.5, point=0.3, box=0.2)
    found = delivered(_counted(shares, PICTURES), shares)
    for name, value in found.items():
        assert value == pytest.approx(getattr(shares, name.removeprefix("share_")), abs=0.03)


def test_shares_that_the_data_cannot_deliver_are_an_error() -> None:
    """Pictures that show every phrase leave nothing to be absent."""
    full = next(
        picture
        for picture in map(PromptedShapes(4000, 1).picture, range(4000))
        if len({thing.concept for thing in picture.objects}) == 3
        and len({thing.concept.split()[1] for thing in picture.objects}) == 3
        and len({thing.concept.split()[0] for thing in picture.objects}) == 3
    )
    shares = PromptShares(generic=0, category=0.2, hard=0, absent=0.8)
    sampler = PromptSampler(VOCABULARY, shares)
    assert {each.source for each in sampler.draw(full, 50, np.random.default_rng(0))} <= {
        "category",
        "absent",
        "click",
    }
    counted = _counted(PromptShares(), PICTURES)
    wrong = PromptShares(generic=0.1, category=0.5, hard=0.2, absent=0.2)
    with pytest.raises(DeployError, match="SHARES-NOT-DELIVERED"):
        delivered(counted, wrong)
    with pytest.raises(DeployError, match="SHARES-NOT-DELIVERED"):
        delivered({"pictures_all": 4000.0, "pictures_empty": 0.0}, PromptShares())


@pytest.mark.parametrize(
    "wrong", [{"category": 0.9}, {"text": 0.5}, {"empty": 0.7, "noise": 0.3}, {"hard": -0.1, "absent": 0.6}]
)
def test_shares_that_do_not_sum_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        PromptShares(**wrong)


def test_a_kind_that_the_teacher_cannot_answer_is_refused() -> None:
    shares = PromptShares()
    demand_kinds(shares, frozenset({"text", "point", "box"}), "sam3")
    with pytest.raises(DeployError, match="TEACHER-CANNOT-ANSWER: yolo cannot answer point"):
        demand_kinds(shares, frozenset({"text"}), "yolo")
    demand_kinds(PromptShares(text=1, point=0, box=0), frozenset({"text"}), "yolo")


def test_blank_pictures() -> None:
    rng = np.random.default_rng(0)
    for picture in PICTURES[:10]:
        empty = emptied(picture, rng)
        assert not empty.objects
        covered = np.stack([thing.mask for thing in picture.objects]).any(axis=0)
        assert np.array_equal(empty.image[~covered], picture.image[~covered])
        assert empty.image[covered].mean() < 110  # the background is dark
        assert noise(picture, rng).image.std() > 60
    sampler = PromptSampler(VOCABULARY, PromptShares())
    assert {each.source for each in sampler.draw(empty, 30, rng)} == {"blank"}


def test_prompts_as_arrays() -> None:
    tokenizer = open_tokenizer("words", [*VOCABULARY.phrases, VOCABULARY.neutral])
    rng = np.random.default_rng(0)
    prompts = [make(PICTURES[0], "shape", rng).prompt for make in (point, box)]
    ids, points, boxes = encode_prompts(prompts, tokenizer, 3)
    assert ids.shape == (2, 6)
    assert points[:, :, 2].tolist() == [[1, -1, -1], [-1, -1, -1]]
    assert boxes[:, 4].tolist() == [0, 1]
    assert np.array_equal(boxes[1, :4], prompts[1].box)  # type: ignore[arg-type]
    with pytest.raises(DeployError, match="TOO-MANY-POINTS"):
        encode_prompts(prompts, tokenizer, 0)


def test_class_names_share_no_words_and_still_have_hard_negatives() -> None:
    """As the evaluator has it: absent names that are frequent in this data."""
    names = ("person", "car", "zebra", "kite")
    vocabulary = Vocabulary(
        {name: frozenset({name}) for name in names} | {"object": frozenset(names)}, "object"
    )
    mask = np.ones((4, 4), np.bool_)
    pictures = [
        PromptedPicture(str(number), np.zeros((4, 4, 3), np.uint8), (PromptedObject(mask, name),))
        for number, name in enumerate(("person", "person", "car", "car", "car", "kite"))
    ]
    frequent = frequent_phrases(pictures, vocabulary)
    assert frequent == {"person", "car"}
    sampler = PromptSampler(vocabulary, PromptShares(), frequent)
    asked = sampler.draw(pictures[0], 200, np.random.default_rng(0))
    assert {each.prompt.text for each in asked if each.source == "hard"} == {"car"}
    assert {each.prompt.text for each in asked if each.source == "absent"} == {"zebra", "kite"}
