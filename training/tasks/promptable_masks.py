"""Learn to answer prompts with masks, from the truth or from a teacher that is asked the same prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from deploy.contracts.decode import TensorsDecode
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.prompts import TokenizerFacts
from deploy.errors import DeployError
from deploy.prompts.types import Answerer
from deploy.store import canonical_json, sha256_bytes
from training.distill.batches import PromptedBatches
from training.distill.check import check
from training.distill.contract import make_contract
from training.distill.losses import alignment
from training.distill.matcher import MatchSettings
from training.distill.objective import LossWeights, Objective
from training.distill.pool import PromptPool
from training.distill.prompts import KINDS, PromptSampler, demand_kinds
from training.distill.settings import PromptableOptions
from training.distill.shares import delivered
from training.distill.student import ModuleAnswerer
from training.distill.teachers import open_teacher
from training.distill.worlds import open_worlds
from training.models.promptable.arguments import model_arguments
from training.settings import TrainSettings
from training.tasks.protocol import Batch
from training.text import open_tokenizer

_SIDE_OF = 32
"""The input's side must be a multiple of this: the coarsest map of any backbone."""


class PromptableMasks:
    """See ``training.tasks.protocol.Task``."""

    primary = "quality"
    model = "promptable"
    defaults: ClassVar[Mapping[str, Any]] = {
        "lr": 2e-3,  # 4e-3 was measured to fail: a teacher's presence F1 fell from 0.98 to 0.70
        "batch": 16,
        "size": 32,
        "epochs": 9,
        "patience": 0,
    }
    Options = PromptableOptions
    extends = True

    def __init__(self, settings: TrainSettings) -> None:
        options = PromptableOptions(**settings.options)
        if settings.size % _SIDE_OF:
            raise DeployError(
                "SIZE-INVALID",
                f"An input of {settings.size} pixels does not fit the model.",
                f"Choose a --size that is a multiple of {_SIDE_OF}.",
            )
        training, self._validation = open_worlds(
            settings.data, options.names, options.pictures, options.checked, settings.size
        )
        vocabulary = training.vocabulary
        tokenizer = open_tokenizer(options.tokenizer, [*vocabulary.phrases, vocabulary.neutral])
        self._tokenizer = tokenizer
        self.preprocess = Preprocess(
            input_name="image",
            width=settings.size,
            height=settings.size,
            mean=(0.5, 0.5, 0.5),
            std=(0.25, 0.25, 0.25),
        )
        self.decode = TensorsDecode()
        teacher = None if options.teacher == "truth" else open_teacher(options.teacher, training)
        if teacher is not None:
            demand_kinds(options, teacher.kinds, options.teacher)
        self._kinds = frozenset(kind for kind in KINDS if getattr(options, kind) > 0)
        self.prompts = make_contract(
            tokenizer, _facts(teacher), vocabulary, self.preprocess, self._kinds, options.points
        )
        self.model_args = model_arguments(options, settings.size, tokenizer)
        self.tally: dict[str, float] = {}
        self._options = options
        self._objective = Objective(
            MatchSettings(method=options.matcher, most=options.max_matches),
            LossWeights(),
            options.truth_share,
            options.tau,
            self._count,
        )
        pool = PromptPool(training, self.preprocess)
        self.count = len(pool)
        self._batches = PromptedBatches(
            pool,
            self.preprocess,
            options,
            PromptSampler(vocabulary, options),
            tokenizer,
            teacher,
            _features(teacher, options),
            self._count,
        )
        self.data_sha256 = sha256_bytes(canonical_json([training.sha256, self._validation.sha256]).encode())

    def batch(self, indices: NDArray[np.int64], rng: np.random.Generator, part: slice) -> Batch:
        """See ``PromptedBatches.draw``."""
        return self._batches.draw(indices, rng, part)

    def loss(self, module: nn.Module, batch: Batch, epoch: int) -> Tensor:
        """Alignment of features alone in the first ``align_epochs``; then masks, boxes, scores, presence."""
        parts: Any = module
        if epoch < self._options.align_epochs:
            return alignment(parts.image(batch["image"]), batch["teacher_features"]).mean()
        found = module(batch["image"], batch["ids"], batch["points"], batch["box"])
        return self._objective(found, batch)

    def account(self, tally: Mapping[str, float]) -> dict[str, float]:
        """Realised shares, mean losses, pairs, and how often the truth had more objects than there are
        queries."""
        asked = max(1.0, tally.get("asked_all", 0))
        figures = delivered(tally, self._options)
        for name, total in tally.items():
            if name.endswith("_loss"):
                figures[name] = total / asked
            elif name.endswith(("_pairs", "_over_queries", "_dropped")):
                figures[name] = total
        return figures

    def validate(self, module: nn.Module) -> dict[str, float]:
        """See ``training.distill.check.check``."""
        student = ModuleAnswerer(module, self.preprocess, self._tokenizer, self._kinds, "student")
        return check(student, self._validation)

    def _count(self, name: str, amount: float) -> None:
        self.tally[name] = self.tally.get(name, 0.0) + amount


def _facts(teacher: Answerer | None) -> TokenizerFacts | None:
    """The teacher's own tokenizer, where it reads tokens."""
    return getattr(teacher, "tokenizer_facts", None)


def _features(teacher: Answerer | None, options: PromptableOptions) -> Any:
    """The teacher's features, where epochs of alignment were asked for; raises ``TEACHER-NO-FEATURES``."""
    if not options.align_epochs:
        return None
    features = getattr(teacher, "features", None)
    if features is None:
        raise DeployError(
            "TEACHER-NO-FEATURES",
            f"{options.teacher} shows no features to align with.",
            "Use a teacher that does (run:FOLDER, sam3:FOLDER), or --set align_epochs=0",
        )
    return features
