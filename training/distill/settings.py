"""Settings of promptable tasks: ``--set NAME=VALUE``, kept in ``config.json`` under ``options``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from training.distill.prompts import PromptShares


class PromptableOptions(PromptShares):
    """What a promptable run was asked to do, beyond what every run is asked; shares as in ``PromptShares``.

    ``teacher``: see ``open_teacher``; ``tokenizer``: a name on the door plate of ``training.text``;
    ``names``: a file of class names for a data folder without ``data.yaml``; ``pictures``: training
    pictures of the generated world; ``prompts``: prompts a picture is asked at a time; ``mirror``: half of
    the pictures are mirrored.

    Model: ``backbone`` (``small`` or ``timm:NAME``), ``width`` (channels of features and tokens),
    ``widths`` (channels of the small pyramid), ``text_layers``, ``layers`` (of the decoder), ``queries``,
    ``points`` (that one prompt may carry), ``levels`` (maps of a timm backbone that are used, 0 for all),
    ``image_weights`` (what a timm backbone begins with: a file with the classifier's state dict, or ``hub``
    to download timm's own).

    Loss: ``truth_share`` (the truth's share of a distilled loss; the teacher has the rest), ``tau`` (a
    teacher's queries below this score teach nothing), ``matcher``, ``max_matches`` (0 for no limit),
    ``align_epochs`` (first epochs in which only features are aligned with the teacher's).

    ``start``: a finished promptable run whose weights are begun with.
    """

    teacher: str = "truth"
    tokenizer: str = "words_reversed"
    names: str | None = None
    pictures: int = Field(default=1600, gt=0)
    checked: int = Field(default=60, gt=0)
    prompts: int = Field(default=4, gt=0)
    mirror: bool = False

    backbone: str = "small"
    levels: int = Field(default=0, ge=0)
    image_weights: str | None = None
    width: int = Field(default=32, gt=0, multiple_of=16)
    widths: tuple[int, int, int, int] = (24, 32, 48, 64)
    text_layers: int = Field(default=1, gt=0)
    layers: int = Field(default=2, gt=0)
    queries: int = Field(default=5, gt=0)
    points: int = Field(default=2, gt=0)

    truth_share: float = Field(default=0.25, ge=0, le=1)
    tau: float = Field(default=0.05, ge=0, lt=1)
    matcher: Literal["hungarian", "greedy"] = "hungarian"
    max_matches: int = Field(default=0, ge=0)
    align_epochs: int = Field(default=0, ge=0)
    start: str | None = None


class VideoOptions(PromptableOptions):
    """As ``PromptableOptions``, for clips. ``frames``: of a clip; ``frozen`` and ``vanish``: shares of clips
    that stand still and whose objects vanish, so that presence has real negatives. Prompts are phrases: a
    point or a box belongs to one frame."""

    text: float = Field(default=1.0, ge=1, le=1)
    point: float = Field(default=0.0, ge=0, le=0)
    box: float = Field(default=0.0, ge=0, le=0)
    frames: int = Field(default=3, ge=2)
    frozen: float = Field(default=0.1, ge=0, le=1)
    vanish: float = Field(default=0.2, ge=0, le=1)
