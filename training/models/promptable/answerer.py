"""A finished promptable run as something that answers prompts."""

from __future__ import annotations

from pathlib import Path

from deploy.errors import DeployError
from deploy.prompts.types import Vocabulary
from training.checkpoints import load_checkpoint
from training.distill.contract import facts_of
from training.distill.student import ModuleAnswerer
from training.text import open_tokenizer


def open_student(folder: Path) -> ModuleAnswerer:
    """Load a run; its tokenizer is rebuilt and held against the contract in the checkpoint.

    Raises:
        DeployError: ``CHECKPOINT-KIND`` for a run that answers no prompts, ``TOKENIZER-MISMATCH`` when the
            tokenizer is not the one that the model learned with, and what ``load_checkpoint`` raises.
    """
    checkpoint, module = load_checkpoint(folder)
    contract = checkpoint.prompts
    if contract is None:
        raise DeployError(
            "CHECKPOINT-KIND",
            f"{folder} holds a {checkpoint.task} model, which answers no prompts.",
            "Point at a run of promptable_masks: deploy train promptable_masks --out runs/prompts",
        )
    phrases = [*contract.phrases, contract.neutral]
    tokenizer = open_tokenizer(contract.student.id, phrases)
    vocabulary = Vocabulary({phrase: frozenset() for phrase in phrases}, contract.neutral)
    facts = facts_of(tokenizer, vocabulary)
    if facts != contract.student:
        raise DeployError(
            "TOKENIZER-MISMATCH",
            f"{folder} was trained with the tokenizer {contract.student.id} of vocabulary "
            f"{contract.student.vocabulary_sha256[:12]}, and {facts.id} of {facts.vocabulary_sha256[:12]} is "
            "what is installed.",
            "Install the version that it was trained with, or train it again.",
        )
    answerer = ModuleAnswerer(module, checkpoint.preprocess, tokenizer, contract.kinds, folder.name)
    answerer.tokenizer_facts = facts
    answerer.sha256 = checkpoint.weights_sha256
    return answerer
