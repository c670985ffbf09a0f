"""What tasks of prompted pictures and of prompted clips share, made from a run's settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.contracts.preprocess import Preprocess
from deploy.contracts.prompts import TokenizerFacts
from deploy.errors import DeployError
from deploy.prompts.types import Answerer
from deploy.store import canonical_json, sha256_bytes
from training.distill.batches import Features, PromptedBatches
from training.distill.contract import make_contract
from training.distill.matcher import MatchSettings
from training.distill.objective import LossWeights, Objective
from training.distill.pool import PromptPool
from training.distill.prompts import KINDS, PromptSampler, demand_kinds, frequent_phrases
from training.distill.settings import PromptableOptions
from training.distill.shares import delivered
from training.distill.teachers import open_teacher
from training.distill.worlds import open_worlds
from training.models.promptable.arguments import model_arguments
from training.settings import TrainSettings
from training.text import open_tokenizer

_SIDE_OF = 32
"""The input's side must be a multiple of this: the coarsest map of any backbone."""


class PromptedParts:
    """Worlds, tokenizer, teacher, batches and objective of a run.

    Args:
        settings: of the run.
        options: of its task.

    Raises:
        DeployError: ``SIZE-INVALID``, ``TEACHER-CANNOT-ANSWER``, ``TEACHER-NO-FEATURES``, and what worlds,
            tokenizers and teachers raise.
    """

    def __init__(self, settings: TrainSettings, options: PromptableOptions) -> None:
        if settings.size % _SIDE_OF:
            raise DeployError(
                "SIZE-INVALID",
                f"An input of {settings.size} pixels does not fit the model.",
                f"Choose a --size that is a multiple of {_SIDE_OF}.",
            )
        self.options = options
        self.tally: dict[str, float] = {}
        training, self.validation = open_worlds(
            settings.data, options.names, options.pictures, options.checked, settings.size
        )
        vocabulary = training.vocabulary
        self.tokenizer = open_tokenizer(options.tokenizer, [*vocabulary.phrases, vocabulary.neutral])
        self.preprocess = Preprocess(
            input_name="image",
            width=settings.size,
            height=settings.size,
            mean=(0.5, 0.5, 0.5),
            std=(0.25, 0.25, 0.25),
        )
        teacher = None if options.teacher == "truth" else open_teacher(options.teacher, training)
        if teacher is not None:
            demand_kinds(options, teacher.kinds, options.teacher)
        self.kinds = frozenset(kind for kind in KINDS if getattr(options, kind) > 0)
        self.prompts = make_contract(
            self.tokenizer, _facts(teacher), vocabulary, self.preprocess, self.kinds, options.points
        )
        self.model_args = model_arguments(options, settings.size, self.tokenizer)
        self.objective = Objective(
            MatchSettings(method=options.matcher, most=options.max_matches),
            LossWeights(),
            options.truth_share,
            options.tau,
            self.add,
        )
        features = _features(teacher, options)
        pool = PromptPool(training, self.preprocess)
        self.count = len(pool)
        sampler = PromptSampler(vocabulary, options, frequent_phrases(pool.pictures, vocabulary))
        self.batches = PromptedBatches(
            pool, self.preprocess, options, sampler, self.tokenizer, teacher, features, self.add
        )
        worlds = [training.sha256, self.validation.sha256]
        self.data_sha256 = sha256_bytes(canonical_json(worlds).encode())

    def add(self, name: str, amount: float) -> None:
        """Count something of this epoch."""
        self.tally[name] = self.tally.get(name, 0.0) + amount

    def account(self, tally: Mapping[str, float]) -> dict[str, float]:
        """Realised shares, mean losses, pairs, and how often there were more objects than queries.

        Raises:
            DeployError: ``SHARES-NOT-DELIVERED``.
        """
        answers = max(1.0, tally.get("answers", 0))
        figures = delivered(tally, self.options)
        for name, total in tally.items():
            if name.endswith("_loss"):
                figures[name] = total / answers
            elif name.endswith(("_pairs", "_over_queries", "_dropped")):
                figures[name] = total
        return figures


def _facts(teacher: Answerer | None) -> TokenizerFacts | None:
    """The teacher's own tokenizer, where it reads tokens."""
    facts: TokenizerFacts | None = getattr(teacher, "tokenizer_facts", None)
    return facts


def _features(teacher: Answerer | None, options: PromptableOptions) -> Features | None:
    """The teacher's features, where epochs of alignment were asked for."""
    if not options.align_epochs:
        return None
    features: Any = getattr(teacher, "features", None)
    if features is None:
        raise DeployError(
            "TEACHER-NO-FEATURES",
            f"{options.teacher} shows no features to align with.",
            "Use a teacher that does (run:FOLDER), or --set align_epochs=0",
        )
    return features  # type: ignore[no-any-return]
