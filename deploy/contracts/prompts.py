"""What a promptable model was promised: its tokens, its picture and the prompts it answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from deploy.contracts.base import Contract


class TokenizerFacts(Contract):
    """One tokenizer, and the ids it gives to a few phrases, so that two can be told apart by looking.

    ``id``: its name on the door plate of ``training.text``; ``vocabulary_sha256``: of everything that
    decides which number a word gets; ``samples``: phrase to its ids, padding included.
    """

    id: str
    vocabulary_sha256: str
    pad_id: int = Field(ge=0)
    length: int = Field(gt=0)
    samples: dict[str, tuple[int, ...]]


class PromptContract(Contract):
    """In every checkpoint of a promptable model; a run goes on only under the contract it began with.

    ``student``: the tokenizer of the model itself; ``teacher``: of the one it learned from, where that one
    reads tokens; ``width``, ``height``, ``mean`` and ``std``: the picture; ``kinds``: prompts that it was
    trained to answer; ``points``: points that one prompt may carry; ``phrases``: what the tokenizer was made
    from, without ``neutral``, the phrase that points and boxes carry.
    """

    student: TokenizerFacts
    teacher: TokenizerFacts | None = None
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    mean: tuple[float, ...]
    std: tuple[float, ...]
    kinds: tuple[Literal["text", "point", "box"], ...]
    points: int = Field(gt=0)
    phrases: tuple[str, ...]
    neutral: str
