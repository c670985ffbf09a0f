"""A promptable model as phones get it: separate files that form one chain, and the phrases encoded ahead."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from deploy.contracts.artifact import Source
from deploy.contracts.base import Contract, Document
from deploy.contracts.promptable import PromptThresholds
from deploy.contracts.prompts import PromptContract
from deploy.store import canonical_json, sha256_bytes

BUNDLE = "bundle.json"

PartRole = Literal["image_encoder", "text_encoder", "mask_decoder"]
PART_ROLES: tuple[PartRole, ...] = ("image_encoder", "text_encoder", "mask_decoder")


class BundlePart(Contract):
    """One file of the chain: an artifact folder inside the bundle's, and the hashes that tie it to the rest.

    ``manifest_sha256`` is of its ``artifact.json``; ``reason`` says why its precision is not the bundle's.
    """

    folder: str
    precision: str
    reason: str | None = None
    model_sha256: str
    model_bytes: int
    manifest_sha256: str


class BundleParts(Contract):
    """The parts by role."""

    image_encoder: BundlePart
    text_encoder: BundlePart
    mask_decoder: BundlePart

    def __getitem__(self, role: PartRole) -> BundlePart:
        part: BundlePart = getattr(self, role)
        return part

    def items(self) -> list[tuple[PartRole, BundlePart]]:
        """Roles with their parts, in the order of the chain."""
        return [(role, self[role]) for role in PART_ROLES]


class EncodedPhrases(Contract):
    """The phrases' embeddings, made by the bundle's own text encoder: ``.npy``, float32 (N, D), rows in the
    order of ``phrases``. ``ids``: token ids by phrase, padding included."""

    file: str
    sha256: str
    phrases: tuple[str, ...] = Field(min_length=1)
    ids: dict[str, tuple[int, ...]]


class Bundle(Document):
    """``bundle.json``: the parts, what they were promised, and from where on their answers count.

    ``reference_identity`` is the ``identity`` of the fp32 bundle that the same export wrote, its own for the
    reference itself.
    """

    KIND: ClassVar[str] = "bundle"

    document: Literal["bundle"] = "bundle"
    name: str
    role: Literal["export", "reference"] = "export"
    target: str
    precision: str
    task: str
    parts: BundleParts
    prompts: PromptContract
    encoded: EncodedPhrases
    thresholds: PromptThresholds
    reference_identity: str
    source: Source
    toolchain: dict[str, str]

    @property
    def identity(self) -> str:
        """Hex SHA-256 of what answers: the parts' files and the phrases' embeddings, without any name."""
        parts = {role: part.model_sha256 for role, part in self.parts.items()}
        facts = [parts, self.encoded.sha256, self.encoded.phrases, self.thresholds.to_json()]
        return sha256_bytes(canonical_json(facts).encode())

    @property
    def model_bytes(self) -> int:
        """Size of all parts together."""
        return sum(part.model_bytes for _, part in self.parts.items())
