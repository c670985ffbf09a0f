"""The ``PromptContract`` of a run, and the first thing in which two of them differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from deploy.contracts.preprocess import Preprocess
from deploy.contracts.prompts import PromptContract, TokenizerFacts
from deploy.prompts.types import PromptKind, Vocabulary
from training.text.protocol import Tokenizer

_SAMPLES = 3


def facts_of(tokenizer: Tokenizer, vocabulary: Vocabulary) -> TokenizerFacts:
    """A tokenizer's facts, with the ids of the neutral phrase and of the world's first phrases."""
    phrases = [vocabulary.neutral, *vocabulary.phrases[:_SAMPLES]]
    ids = tokenizer.encode(phrases).tolist()
    return TokenizerFacts(
        id=tokenizer.id,
        vocabulary_sha256=tokenizer.sha256,
        pad_id=tokenizer.pad_id,
        length=tokenizer.length,
        samples={phrase: tuple(row) for phrase, row in zip(phrases, ids, strict=True)},
    )


def make_contract(
    tokenizer: Tokenizer,
    teacher: TokenizerFacts | None,
    vocabulary: Vocabulary,
    spec: Preprocess,
    kinds: Iterable[PromptKind],
    points: int,
) -> PromptContract:
    """What a model that learns with these is promised."""
    return PromptContract(
        student=facts_of(tokenizer, vocabulary),
        teacher=teacher,
        width=spec.width,
        height=spec.height,
        mean=spec.mean,
        std=spec.std,
        kinds=tuple(sorted(kinds)),
        points=points,
        phrases=vocabulary.phrases,
        neutral=vocabulary.neutral,
    )


def differences(kept: PromptContract, now: PromptContract) -> list[tuple[str, Any, Any]]:
    """``(field, kept, now)`` of everything that differs, e.g. ``student.pad_id``."""
    return list(_walk("", kept.to_json(), now.to_json()))


def _walk(name: str, kept: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(kept, dict) and isinstance(now, dict):
        for key in [*kept, *(key for key in now if key not in kept)]:
            yield from _walk(f"{name}.{key}" if name else key, kept.get(key), now.get(key))
    elif kept != now:
        yield name, kept, now
