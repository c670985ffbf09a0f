"""The model's parts as doors of their own, its sizes, and values that fit fp16."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from deploy.errors import DeployError
from training.data.prompted_shapes import shapes_vocabulary
from training.distill.losses import alignment, by_answer, dice, focal
from training.distill.settings import PromptableOptions
from training.models import MODELS
from training.models.promptable.arguments import model_arguments
from training.text import open_tokenizer

VOCABULARY = shapes_vocabulary()
TOKENIZER = open_tokenizer("words_reversed", [*VOCABULARY.phrases, VOCABULARY.neutral])


def _model(size: int = 32, **options: Any) -> Any:
    torch.manual_seed(0)
    arguments = model_arguments(PromptableOptions(**options), size, TOKENIZER)
    return MODELS.open("promptable")(**arguments).eval()


def _inputs(pictures: int = 2, each: int = 3, size: int = 32) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.from_numpy(TOKENIZER.encode(VOCABULARY.phrases[: pictures * each]))
    points = torch.rand(pictures * each, 2, 3, generator=generator)
    points[..., 2] = torch.tensor([1.0, -1.0])
    return (
        torch.randn(pictures, 3, size, size, generator=generator),
        ids,
        points,
        torch.zeros(pictures * each, 5),
    )


def test_the_parts_chained_by_hand_are_the_whole() -> None:
    model = _model()
    image, ids, points, box = _inputs()
    with torch.inference_mode():
        whole = model(image, ids, points, box)
        features = model.image(image)
        tokens = model.prompt(model.text(ids), points, box)
        alone = model.decoder(features[1:], tokens[4:5])
    assert features.shape == (2, 32, 16, 16)
    assert tokens.shape == (6, 5, 32)
    assert whole.masks.shape == (6, 5, 16, 16)
    assert whole.scores.shape == (6, 5)
    assert whole.presence.shape == (6, 1)
    assert whole.boxes.shape == (6, 5, 4)
    torch.testing.assert_close(alone.masks[0], whole.masks[4], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(alone.presence[0], whole.presence[4], rtol=1e-4, atol=1e-4)


def test_sizes_of_student_and_teacher() -> None:
    student = sum(parameter.numel() for parameter in _model().parameters())
    wide = _model(width=48, widths=(24, 48, 64, 96))
    teacher = sum(parameter.numel() for parameter in wide.parameters())
    assert 95_000 < student < 125_000
    assert 200_000 < teacher < 250_000


def test_padding_does_not_change_a_phrase() -> None:
    model = _model()
    ids = torch.from_numpy(TOKENIZER.encode(["red disc"]))
    with torch.inference_mode():
        whole = model.text(ids)
        model.text.place[:, 2:] = 9.0
        torch.testing.assert_close(model.text(ids), whole)


def test_every_kind_of_prompt_changes_the_answer() -> None:
    model = _model()
    image, ids, points, box = _inputs(1, 1)
    moved, boxed = points.clone(), box.clone()
    moved[..., :2] = 0.9
    boxed[:] = torch.tensor([0.1, 0.1, 0.5, 0.5, 1])
    with torch.inference_mode():
        base = model(image, ids, points, box).masks
        for change in (
            (image, ids.flip(1), points, box),
            (image, ids, moved, box),
            (image, ids, points, boxed),
        ):
            assert (model(*change).masks - base).abs().max() > 1e-4


def test_values_stay_far_below_fp16() -> None:
    model, largest = _model(), [0.0]
    for part in model.modules():
        part.register_forward_hook(
            lambda _m, _i, out: (
                largest.append(float(out.abs().max())) if isinstance(out, torch.Tensor) else None
            )
        )
    with torch.inference_mode():
        model(*_inputs())
    assert 0 < max(largest) < 1000


def test_a_timm_backbone_and_a_wrong_one() -> None:
    model = _model(64, backbone="timm:mobilenetv4_conv_small_035", width=16)
    with torch.inference_mode():
        found = model(*_inputs(1, 2, 64))
    assert found.masks.shape[:2] == (2, 5)
    assert sum(parameter.numel() for parameter in model.parameters()) < 3_000_000
    for name in ("resnet", "timm:", "timm:no_such_net"):
        with pytest.raises(DeployError, match="UNKNOWN-BACKBONE"):
            _model(64, backbone=name)


def test_losses_by_hand() -> None:
    certain, truth = torch.tensor([[[20.0, -20.0]]]), torch.tensor([[[1.0, 0.0]]])
    assert float(dice(certain, truth)) == pytest.approx(0, abs=1e-6)
    assert float(focal(certain, truth).max()) < 1e-6
    assert float(focal(torch.zeros(1), torch.ones(1))) == pytest.approx(0.25 * 0.6931, abs=1e-3)
    assert float(focal(torch.zeros(1), torch.full((1,), 0.5))) == pytest.approx(0)
    means = by_answer(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0, 0, 2]), 3)
    assert means.tolist() == [2, 0, 5]


def test_alignment_sees_layout_and_not_channels() -> None:
    maps = torch.randn(2, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    mixed = maps.flip(1)
    assert float(alignment(maps, mixed).max()) < 1e-9
    assert float(alignment(maps, maps.flip(3)).min()) > 1e-3
    assert alignment(maps, torch.randn(2, 24, 8, 8)).shape == (2,)


def test_every_part_is_exported_alone_and_runs_in_half_precision() -> None:
    model = _model()
    image, ids, points, box = _inputs(1, 1)
    with torch.no_grad():
        features, phrase = model.image(image), model.text(ids)
        tokens = model.prompt(phrase, points, box)
    parts = {
        "image": (image,),
        "text": (ids.int(),),
        "prompt": (phrase, points, box),
        "decoder": (features, tokens),
    }
    made_on_the_phone = {"linspace", "arange", "meshgrid", "randn"}
    for name, given in parts.items():
        program = torch.export.export(getattr(model, name), given)
        called = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
        assert not {word for word in made_on_the_phone if any(word in each for each in called)}, name
    halves = _model().half()
    with torch.inference_mode():
        small = halves(image.half(), ids, points.half(), box.half())
        whole = model(image, ids, points, box)
    for one, two in zip(small, whole, strict=True):
        torch.testing.assert_close(one.float(), two, rtol=0.05, atol=0.05)
