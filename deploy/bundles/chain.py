"""An exported chain as something that answers prompts: its own files and numpy, no torch, no tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from deploy.artifacts import Exported
from deploy.bundles.opening import OpenedBundle
from deploy.bundles.stages import Stages
from deploy.errors import DeployError
from deploy.prompts.encode import encode_places
from deploy.prompts.types import Answer, Prompt, PromptKind
from deploy.runtimes import RUNTIMES
from deploy.runtimes.protocol import Runtime
from deploy.vision.images import pixel_digest
from deploy.vision.preprocess import prepare

Lookup = Callable[[str, Mapping[str, str]], type[Runtime]]
"""A target and a part's ``deployment`` to the class that runs it here."""


def native(target: str, deployment: Mapping[str, str]) -> type[Runtime]:
    """The target's own runtime."""
    del deployment
    return RUNTIMES.open(target)


class Chain:
    """See ``deploy.prompts.types.Answerer``. ``sha256``: the bundle's identity.

    Phrases are looked up in the bundle's embeddings, as phones do; the features of the last picture are
    kept, so that several prompts about it run the image encoder once.

    Args:
        opened: the bundle; its parts are held against their hashes first.
        lookup: which class runs a part.
        threads: of each part's runtime.

    Raises:
        DeployError: what ``OpenedBundle.check`` raises, ``RUNTIME-MISSING``, and what the runtimes raise.
    """

    def __init__(self, opened: OpenedBundle, lookup: Lookup = native, threads: int = 1) -> None:
        parts = opened.check()
        encoder = parts["image_encoder"]
        spec = encoder.artifact.preprocess
        if spec is None:
            raise DeployError(
                "BUNDLE-CHANGED",
                f"The image encoder of {opened.folder} does not say how a picture gets in.",
                f"Export it again: deploy export {opened.bundle.source.spec} -t {opened.bundle.target}",
            )
        self._opened, self._spec = opened, spec
        self._stages = Stages(
            load_part(encoder, lookup, threads),
            load_part(parts["mask_decoder"], lookup, threads),
            spec.input_name,
        )
        self._seen: tuple[str, NDArray[np.generic]] | None = None
        self.encoded_pictures = 0
        self.name = opened.folder.resolve().name
        self.kinds: frozenset[PromptKind] = frozenset(opened.bundle.prompts.kinds)
        self.sha256 = opened.bundle.identity

    def answer(self, image: NDArray[np.uint8], prompts: Sequence[Prompt]) -> list[Answer]:
        """One answer a prompt.

        Args:
            image: uint8 (H, W, 3) RGB.
            prompts: of the kinds that it was trained to answer.

        Raises:
            DeployError: ``UNKNOWN-PHRASE``, ``TOO-MANY-POINTS``.
        """
        texts = [self._opened.embedding(prompt.text) for prompt in prompts]
        points, boxes = encode_places(prompts, self._opened.bundle.prompts.points)
        features = self.features(image)
        return [
            self._stages.decode(features, text, points[row : row + 1], boxes[row : row + 1])
            for row, text in enumerate(texts)
        ]

    def features(self, image: NDArray[np.uint8]) -> NDArray[np.generic]:
        """The picture's features, float32 (1, D, h, w); kept until another picture comes."""
        digest = pixel_digest(image)
        if self._seen is None or self._seen[0] != digest:
            self._seen = digest, self._stages.encode(prepare(image, self._spec)[0])
            self.encoded_pictures += 1
        return self._seen[1]


def load_part(exported: Exported, lookup: Lookup, threads: int) -> Runtime:
    """A part in its runtime; raises ``RUNTIME-MISSING`` with the reason, and what loading raises."""
    artifact = exported.artifact
    kind = lookup(artifact.target, artifact.deployment)
    reason = kind.why_not()
    if reason is not None:
        raise DeployError(
            "RUNTIME-MISSING",
            f"{exported.folder} cannot be run here: {reason}.",
            "Install it, or leave this bundle out.",
        )
    return kind(exported.model, artifact.inputs, artifact.outputs, threads)
