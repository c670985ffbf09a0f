"""Teachers: truth, a cache that asks once, a YOLO checkpoint, and SAM 3 by a stand-in of its library."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from deploy.errors import DeployError
from deploy.prompts.types import Prompt
from training.data.prompted_shapes import PromptedShapes
from training.distill.batches import stack_answers
from training.distill.teachers import TEACHERS, open_teacher
from training.distill.teachers.cached import cache_teacher
from training.distill.teachers.truth import Truth
from training.models.ultralytics_yolo import YoloModel

WORLD = PromptedShapes(6, 2)
IMAGE = WORLD.picture(0).image


def test_names_and_refusals(tmp_path: Path) -> None:
    assert list(TEACHERS) == ["truth", "run", "ultralytics", "sam3", "cached"]
    for spec, error_id in {
        "yolo:x.pt": "UNKNOWN-TEACHER",
        "truth:x": "TEACHER-SPEC",
        f"run:{tmp_path}": "CHECKPOINT-MISSING",
        f"ultralytics:{tmp_path}/x.pt": "CHECKPOINT-MISSING",
        f"sam3:{tmp_path}": "CHECKPOINT-MISSING",
        f"cached:{tmp_path}": "CACHE-MISSING",
    }.items():
        with pytest.raises(DeployError, match=error_id):
            open_teacher(spec, WORLD)


def test_the_truth_answers_with_the_worlds_masks() -> None:
    teacher = open_teacher("truth", WORLD)
    picture = WORLD.picture(3)
    for phrase in WORLD.vocabulary.meanings:
        answer = teacher.answer(picture.image, [Prompt(phrase)])[0]
        meant = WORLD.vocabulary.meant(picture, phrase)
        assert answer.presence == bool(meant)
        assert all(
            np.array_equal(mask > 0, picture.objects[n].mask)
            for mask, n in zip(answer.masks, meant, strict=True)
        )
    with pytest.raises(DeployError, match="PICTURE-UNKNOWN"):
        teacher.answer(np.zeros_like(picture.image), [Prompt("disc")])


def test_a_cache_asks_once_and_goes_on_after_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, asked = tmp_path / "cache", []
    real = Truth.answer

    def counting(self: Truth, image: Any, prompts: Any) -> Any:
        asked.append(len(prompts))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return real(self, image, prompts)

    monkeypatch.setattr(Truth, "answer", counting)
    with pytest.raises(KeyboardInterrupt):
        cache_teacher("truth", WORLD, folder)
    cache_teacher("truth", WORLD, folder)
    phrases = len(WORLD.vocabulary.meanings)
    assert asked == [phrases] * 7  # two before the stop, the third twice, three more
    teacher = open_teacher(f"cached:{folder}", WORLD)
    assert teacher.kinds == frozenset({"text", "point", "box"})
    straight = open_teacher("truth", WORLD)
    prompts = [Prompt(phrase) for phrase in WORLD.vocabulary.phrases]
    before = len(asked)
    kept = teacher.answer(IMAGE, prompts)
    assert len(asked) == before
    for one, two in zip(kept, straight.answer(IMAGE, prompts), strict=True):
        assert np.array_equal(one.masks, two.masks)
        assert np.array_equal(one.scores, two.scores)
        assert one.presence == two.presence
    click = Prompt("shape", points=np.asarray([[0.5, 0.5, 1]], np.float32))
    before = len(asked)
    for _ in range(2):
        teacher.answer(IMAGE, [click])
    assert len(asked) == before + 1


def test_a_cache_of_another_teacher_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    cache_teacher("truth", WORLD, folder)
    with pytest.raises(DeployError, match="CACHE-OTHER-TEACHER"):
        open_teacher(f"cached:{folder}=run:runs/x", WORLD)
    other = PromptedShapes(6, 9)
    with pytest.raises(DeployError, match="CACHE-OTHER-TEACHER"):
        open_teacher(f"cached:{folder}", other).answer(other.picture(0).image, [Prompt("disc")])
    for path in folder.rglob("*.npz"):
        path.write_bytes(b"torn")
    with pytest.raises(DeployError, match="CACHE-BROKEN"):
        open_teacher(f"cached:{folder}", WORLD).answer(IMAGE, [Prompt("disc")])


class _Yolo(torch.nn.Module):
    """One "red disc" of confidence 0.9 in the left half and one "blue ring" of 0.3 in the right."""

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        head = torch.zeros(1, 4 + 2 + 1, 3)
        head[0, :, 0] = torch.tensor([16, 32, 32, 64, 0.9, 0.0, 1.0])
        head[0, :, 1] = torch.tensor([48, 32, 32, 64, 0.0, 0.3, 1.0])
        head[0, :, 2] = torch.tensor([48, 32, 32, 64, 0.01, 0.0, 1.0])
        return head, torch.full((1, 1, 16, 16), 3.0)


class _TwoNames:
    """A world whose phrases the stand-in knows."""

    def __init__(self) -> None:
        from deploy.prompts.types import Vocabulary

        names = ("red disc", "blue ring")
        self.vocabulary = Vocabulary(
            {name: frozenset({name}) for name in names} | {"object": frozenset(names)}, "object", ("object",)
        )
        self.sha256 = "0" * 64

    def __len__(self) -> int:
        return len(WORLD)

    def picture(self, index: int) -> Any:
        return WORLD.picture(index)


def test_a_yolo_answers_class_names_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x-seg.pt"
    path.write_bytes(b"weights")
    import training.models.ultralytics_yolo as module

    found = YoloModel(_Yolo(), ("red disc", "blue ring"), 64, 32, 1)
    monkeypatch.setattr(module, "load_yolo", lambda _: found)
    teacher = open_teacher(f"ultralytics:{path}", _TwoNames())
    image = np.zeros((64, 64, 3), np.uint8)
    red, blue, both = teacher.answer(image, [Prompt("red disc"), Prompt("blue ring"), Prompt("object")])
    assert (red.presence, blue.presence, both.presence) == pytest.approx((0.9, 0.3, 0.9))
    assert (len(red.masks), len(blue.masks), len(both.masks)) == (1, 1, 2)
    assert (red.masks[0][:, :8] > 0).all()
    assert (red.masks[0][:, 8:] < 0).all()
    assert (blue.masks[0][:, 8:] > 0).all()
    assert red.masks.max() > 1  # logits
    with pytest.raises(DeployError, match="TEACHER-CANNOT-ANSWER"):
        teacher.answer(image, [Prompt("object", box=np.asarray([0, 0, 1, 1], np.float32))])
    with pytest.raises(DeployError, match=r"TEACHER-CANNOT-ANSWER.*no class"):
        open_teacher(f"ultralytics:{path}", WORLD)
    monkeypatch.setattr(module, "load_yolo", lambda _: YoloModel(_Yolo(), ("red disc",), 64, 32, 0))
    with pytest.raises(DeployError, match="CHECKPOINT-KIND"):
        open_teacher(f"ultralytics:{path}", _TwoNames())


class _Sam:
    """Both of transformers' SAM 3 models: outputs of the documented names and shapes, inputs kept."""

    calls: list[dict[str, Any]] = []  # noqa: RUF012

    @classmethod
    def from_pretrained(cls, folder: str) -> _Sam:
        assert Path(folder).is_dir()
        return cls()

    def eval(self) -> _Sam:
        return self

    def __call__(self, **given: Any) -> Any:
        type(self).calls.append(given)
        if "multimask_output" in given:
            return SimpleNamespace(
                pred_masks=torch.full((1, 1, 1, 8, 8), 2.0),
                iou_scores=torch.full((1, 1, 1), 1.2),
                object_score_logits=torch.full((1, 1, 1), 3.0),
            )
        if "return_tensors" in given:
            return {key: value for key, value in given.items() if key != "return_tensors"}
        return SimpleNamespace(
            pred_masks=torch.zeros(1, 200, 8, 8),
            pred_logits=torch.zeros(1, 200),
            presence_logits=torch.full((1, 1), -3.0),
        )


def test_sam3_is_asked_phrases_and_clicks_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = ModuleType("transformers")
    library.__spec__ = SimpleNamespace(name="transformers")  # type: ignore[assignment]
    for name in ("Sam3Model", "Sam3Processor", "Sam3TrackerModel", "Sam3TrackerProcessor"):
        setattr(library, name, _Sam)
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.delitem(sys.modules, "transformers", raising=False)
    import training.distill.teachers.sam3 as module

    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(DeployError, match=r"EXTRA-MISSING.*transformers"):
        open_teacher(f"sam3:{tmp_path}", WORLD)
    monkeypatch.setattr(module, "find_spec", lambda _: object())
    monkeypatch.setitem(sys.modules, "transformers", library)
    teacher = open_teacher(f"sam3:{tmp_path}", WORLD)
    image = np.zeros((20, 40, 3), np.uint8)
    point = Prompt("object", points=np.asarray([[0.5, 0.5, 1], [0.25, 0.1, 0]], np.float32))
    box = Prompt("object", box=np.asarray([0, 0, 0.5, 1], np.float32))
    text, click, square = teacher.answer(image, [Prompt("a person"), point, box])
    assert text.masks.shape == (200, 8, 8)
    assert text.presence == pytest.approx(0.0474, abs=1e-3)
    assert text.scores[0] == 0.5
    assert click.masks.shape == square.masks.shape == (1, 8, 8)
    assert (click.scores[0], click.presence) == pytest.approx((1, 0.9526), abs=1e-3)
    given = [call for call in _Sam.calls if "return_tensors" in call]
    assert given[0]["text"] == "a person"
    assert given[1]["input_points"] == [[[[20, 10], [10, 2]]]]
    assert given[1]["input_labels"] == [[[1, 0]]]
    assert given[2]["input_boxes"] == [[[0, 0, 20, 20]]]


def test_answers_of_different_sizes_stack() -> None:
    teacher = open_teacher("truth", WORLD)
    answers = teacher.answer(IMAGE, [Prompt("shape"), *(Prompt(name) for name in WORLD.vocabulary.phrases)])
    stacked = stack_answers(answers)
    most = max(len(answer.masks) for answer in answers)
    assert stacked["teacher_masks"].shape == (16, most, 32, 32)
    assert stacked["teacher_scores"].sum() == sum(len(answer.masks) for answer in answers)
