"""Take in a file that was exported elsewhere, as if it had a manifest, so that it is judged like our own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from deploy.artifacts import Exported
from deploy.contracts.artifact import Artifact, Golden, Parity, PrecisionProof, Source
from deploy.contracts.decode import Decode
from deploy.contracts.preprocess import Preprocess
from deploy.errors import DeployError
from deploy.store import sha256_tree, size_of
from export.evaluation.process import Tell, in_process
from export.evaluation.subject import Subject
from export.foreign import FORMATS, format_of
from export.foreign.match import demand_decode, match_input, match_outputs
from export.foreign.protocol import Found
from export.runners import runner_for

FOREIGN = "FOREIGN"
_LABELS = {
    "float32": "fp32",
    "float16": "fp16",
    "int8": "w8",
    "uint8": "w8",
    "uint6": "w6",
    "int4": "w4",
    "uint4": "w4",
}


@dataclass(frozen=True)
class Given:
    """What the user says about foreign files; ``None`` where they are like the reference."""

    preprocess: Preprocess | None = None
    decode: Decode | None = None


def adopt(path: Path, reference: Exported, given: Given) -> Subject:
    """The file at ``path`` as something to judge by ``reference``; its row is called FOREIGN.

    Raises:
        DeployError: ``FOREIGN-UNREADABLE`` for a broken file, ``NO-PICTURE-INPUT`` where nothing says how a
            picture goes in, ``DOORS-DIFFER`` where its doors do not fit the reference's.
    """
    judge = reference.artifact
    block = given.preprocess or judge.preprocess
    if block is None:
        raise DeployError(
            "NO-PICTURE-INPUT",
            f"The reference {judge.name} does not say how a picture becomes its input.",
            "Say it for this file with --preprocess FILE.",
        )
    kind = FORMATS.open(str(format_of(path)))
    found, proof = _read(path)
    preprocess, doors = match_input(found, block, str(path), named=given.preprocess is not None)
    decode = given.decode or judge.decode
    if given.decode is not None:
        demand_decode(found, decode, judge, str(path))
    else:
        doors = replace(doors, outputs=match_outputs(found, judge, str(path)))
    digest = sha256_tree(path)
    artifact = Artifact(
        name=path.stem,
        target=kind.target,
        precision=precision_of(proof),
        task=judge.task,
        model_file=path.name,
        model_sha256=digest,
        model_bytes=size_of(path),
        inputs=found.inputs,
        outputs=found.outputs,
        preprocess=preprocess,
        decode=decode,
        source=Source(spec=str(path), kind="foreign", weights_sha256=digest),
        reference_sha256=judge.model_sha256,
        proof=proof,
        parity=Parity(status="UNKNOWN", reason="it was not exported here", samples=0),
        golden=Golden(samples=(), sqnr_db=0.0),
        deployment=found.deployment,
        toolchain={},
        cache_key=digest,
        seed=0,
        export_ms=0,
    )
    taints = runner_for(kind.target, found.deployment)[1]
    return Subject(Exported(path.parent, artifact), doors, (FOREIGN, *taints))


def precision_of(proof: PrecisionProof) -> str:
    """What most of the stored weight bytes are (ops count where nothing is stored); activations count too."""
    counted = proof.weight_bytes or proof.ops
    known = {name: amount for name, amount in counted.items() if name in _LABELS}
    if not known:
        return "unknown"
    label = _LABELS[max(known, key=lambda name: known[name])]
    return "w8a8" if label == "w8" and {"int8", "uint8"} & set(proof.ops) else label


def _read(path: Path) -> tuple[Found, PrecisionProof]:
    """Doors and contents, read in a process of its own: a broken file may bring down its library."""
    told: list[tuple[Found, PrecisionProof]] = []
    failure = in_process(_read_here, (path,), told.append)
    if failure is not None:
        raise DeployError(
            "FOREIGN-UNREADABLE",
            f"{path} cannot be read as {path.suffix}: {failure.splitlines()[0][:200]}",
            "Check that the file is whole, and the installed tools with: deploy doctor",
        )
    return told[0]


def _read_here(tell: Tell, path: Path) -> None:
    kind = FORMATS.open(str(format_of(path)))
    tell((kind.doors(path), kind.prove(path)))
