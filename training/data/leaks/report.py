"""What an evaluation set shares with a training set: the same bytes, the same picture, the same moment."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from deploy.errors import DeployError, ExitCode

Kind = Literal["same bytes", "same picture", "same moment"]

FEWEST_NEGATIVES = 20
"""With fewer pictures that show nothing, false alarms cannot be counted."""

ALLOW = "leak"


@dataclass(frozen=True)
class Leak:
    """Evaluation picture ``evaluation`` is, or shows the moment of, training picture ``training``."""

    evaluation: str
    training: str
    kind: Kind


@dataclass(frozen=True)
class LeakReport:
    """All leaks, each evaluation picture once, by its worst kind.

    ``copies``: training pictures that are other training pictures byte for byte (an "oversampling" that
    changes nothing but the length of an epoch), as (copy, original); ``negatives``: evaluation pictures
    without any object, ``None`` where nothing is labelled; ``untimed``: evaluation pictures whose moment
    is not known.
    """

    training: int
    evaluation: int
    leaks: tuple[Leak, ...]
    copies: tuple[tuple[str, str], ...]
    negatives: int | None
    untimed: int

    def of_kind(self, kind: Kind) -> tuple[Leak, ...]:
        """The leaks of one kind."""
        return tuple(leak for leak in self.leaks if leak.kind == kind)

    @property
    def leaked(self) -> frozenset[str]:
        """Ids of the evaluation pictures that leak; figures of the others are clean."""
        return frozenset(leak.evaluation for leak in self.leaks)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What does not refuse an evaluation, and should be known."""
        found = []
        if self.copies:
            copy, original = self.copies[0]
            found.append(
                f"{len(self.copies)} of {self.training} training pictures are byte-identical copies of "
                f"others (such as {copy} of {original}): repeat pictures by sampling, with other augmentation"
            )
        if self.negatives is not None and self.negatives < FEWEST_NEGATIVES:
            found.append(
                f"only {self.negatives} of {self.evaluation} evaluation pictures show nothing; false alarms "
                f"cannot be judged below {FEWEST_NEGATIVES}"
            )
        if self.untimed:
            found.append(
                f"{self.untimed} evaluation pictures have no known time, so neighbours in time cannot be "
                "seen: add moments.csv (file,camera,time)"
            )
        return tuple(found)

    def refuse(self, allowed: Collection[str] = ()) -> None:
        """Raise ``LEAK`` (exit code INCOMPARABLE) unless nothing leaks, or ``leak`` is allowed by name."""
        if not self.leaks or ALLOW in allowed:
            return
        first = self.leaks[0]
        counts = ", ".join(
            f"{len(self.of_kind(kind))} the {kind}"
            for kind in ("same bytes", "same picture", "same moment")
            if self.of_kind(kind)
        )
        raise DeployError(
            "LEAK",
            f"{len(self.leaks)} of {self.evaluation} evaluation pictures were seen in training ({counts}); "
            f"{first.evaluation} is {first.training}, for one.",
            f"Evaluate on other pictures, or say that you know: --allow {ALLOW}",
            ExitCode.INCOMPARABLE,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "training": self.training,
            "evaluation": self.evaluation,
            "leaks": [
                {"evaluation": leak.evaluation, "training": leak.training, "kind": leak.kind}
                for leak in self.leaks
            ],
            "training_copies": [{"copy": copy, "original": original} for copy, original in self.copies],
            "negatives": self.negatives,
            "untimed": self.untimed,
            "warnings": list(self.warnings),
        }
