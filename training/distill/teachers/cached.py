"""Any teacher's answers on disk, so that an hour of teaching is paid for once."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.console import progress
from deploy.contracts.prompts import TokenizerFacts
from deploy.errors import DeployError
from deploy.prompts.types import Answer, Answerer, Prompt, PromptKind, World
from deploy.store import canonical_json, read_json, sha256_bytes, write_atomic, write_json
from training.distill.teachers import open_teacher

_ABOUT = "teacher.json"


class CachedTeacher:
    """Answers what is on disk; what is not there is asked of the teacher behind it and kept.

    A file is named by the hash of the teacher, the picture's pixels and the prompt, and written whole or not
    at all: a stopped run goes on where it was, and several may fill one folder. Logits are kept as float16.

    Args:
        folder: where; ``teacher.json`` in it says whose answers these are.
        world: what the teacher behind is opened with, when it is needed.

    Raises:
        DeployError: ``CACHE-MISSING``, ``CACHE-OTHER-TEACHER``.
    """

    def __init__(self, folder: Path, world: World) -> None:
        if not (folder / _ABOUT).is_file():
            raise DeployError(
                "CACHE-MISSING",
                f"{folder} holds no teacher's answers.",
                f"Say whose it shall hold: --teacher cached:{folder}=run:runs/teacher",
            )
        about = read_json(folder / _ABOUT)
        self._folder, self._world = folder, world
        self._spec, self.sha256 = str(about["spec"]), str(about["sha256"])
        self.name = str(about["name"])
        self.kinds: frozenset[PromptKind] = frozenset(about["kinds"])
        facts = about["tokenizer"]
        self.tokenizer_facts = None if facts is None else TokenizerFacts(**facts)
        self._behind: Answerer | None = None

    def answer(self, image: NDArray[np.uint8], prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer a prompt, from disk where it is there."""
        pixels = sha256_bytes(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes())
        paths = [self._path(pixels, prompt) for prompt in prompts]
        missing = [number for number, path in enumerate(paths) if not path.is_file()]
        fresh: dict[int, Answer] = {}
        if missing:
            asked = [prompts[number] for number in missing]
            for number, answer in zip(missing, self._teacher().answer(image, asked), strict=True):
                write_atomic(paths[number], _packed(answer))
                fresh[number] = answer
        return [fresh.get(number) or _unpacked(path) for number, path in enumerate(paths)]

    def _path(self, pixels: str, prompt: Prompt) -> Path:
        points = None if prompt.points is None else prompt.points.tolist()
        box = None if prompt.box is None else prompt.box.tolist()
        key = sha256_bytes(canonical_json([self.sha256, pixels, prompt.text, points, box]).encode())
        return self._folder / key[:2] / f"{key}.npz"

    def _teacher(self) -> Answerer:
        if self._behind is None:
            self._behind = open_teacher(self._spec, self._world)
            if identity(self._behind, self._world) != self.sha256:
                raise DeployError(
                    "CACHE-OTHER-TEACHER",
                    f"{self._folder} holds answers of another {self._spec} than the one that is there now.",
                    "Choose another folder, or put the teacher back as it was.",
                )
        return self._behind


def cache_teacher(spec: str, world: World, folder: Path) -> CachedTeacher:
    """Ask a teacher every phrase of every picture, and keep the answers; what is kept already is not asked.

    Args:
        spec: as for ``open_teacher``.
        world: pictures and phrases.
        folder: where.
    """
    teacher = begin(spec, world, folder)
    prompts = [Prompt(text) for text in (*world.vocabulary.phrases, world.vocabulary.neutral)]
    with progress(f"Asking {teacher.name}", len(world)) as bar:
        for index in range(len(world)):
            teacher.answer(world.picture(index).image, prompts)
            bar.advance()
    return teacher


def begin(spec: str, world: World, folder: Path) -> CachedTeacher:
    """The cache of a teacher in ``folder``, made when it is not there; raises ``CACHE-OTHER-TEACHER``."""
    if not (folder / _ABOUT).is_file():
        teacher = open_teacher(spec, world)
        facts: TokenizerFacts | None = getattr(teacher, "tokenizer_facts", None)
        about = {
            "spec": spec,
            "name": teacher.name,
            "kinds": sorted(teacher.kinds),
            "sha256": identity(teacher, world),
            "tokenizer": None if facts is None else facts.to_json(),
        }
        write_json(folder / _ABOUT, about)
    elif read_json(folder / _ABOUT)["spec"] != spec:
        raise DeployError(
            "CACHE-OTHER-TEACHER",
            f"{folder} holds answers of {read_json(folder / _ABOUT)['spec']}, not of {spec}.",
            "Choose another folder for this teacher.",
        )
    return CachedTeacher(folder, world)


def identity(teacher: Answerer, world: World) -> str:
    """What a teacher is, by content: its weights, or the world whose truth it tells."""
    return str(getattr(teacher, "sha256", None) or world.sha256)


def _packed(answer: Answer) -> bytes:
    stream = io.BytesIO()
    masks = np.clip(answer.masks, -60000, 60000).astype(np.float16)
    presence = np.float32(answer.presence)
    np.savez_compressed(stream, masks=masks, scores=answer.scores, presence=presence)
    return stream.getvalue()


def _unpacked(path: Path) -> Answer:
    try:
        with np.load(path, allow_pickle=False) as stored:
            masks, scores = stored["masks"].astype(np.float32), stored["scores"].astype(np.float32)
            return Answer(masks, scores, float(stored["presence"]))
    except (OSError, ValueError, KeyError) as error:
        raise DeployError(
            "CACHE-BROKEN", f"{path} cannot be read as an answer ({error}).", f"Remove it: rm {path}"
        ) from error


def open_plug(place: str, world: World) -> Answerer:
    """``cached:FOLDER``, or ``cached:FOLDER=SPEC`` to begin one."""
    folder, equals, spec = place.partition("=")
    return begin(spec, world, Path(folder)) if equals else CachedTeacher(Path(folder), world)
