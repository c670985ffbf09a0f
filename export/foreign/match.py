"""Match a foreign file's doors with the reference's: by name, else by shape where only one can be meant."""

from __future__ import annotations

from typing import Any

from deploy.contracts.artifact import Artifact
from deploy.contracts.decode import Decode
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tensor import TensorSpec
from deploy.errors import DeployError, ExitCode
from export.evaluation.subject import Doors
from export.foreign.protocol import Found

_INTEGERS = ("uint8", "int8", "int32", "int64")


def match_input(found: Found, block: Preprocess, where: str, *, named: bool) -> tuple[Preprocess, Doors]:
    """The preprocess block for the file's own input, and how the prepared picture has to be turned.

    A picture goes in as (1, C, H, W) or (1, H, W, C). An image input or one of integers takes raw pixels, so
    whatever normalises is in the file.

    Args:
        block: the reference's block, or the one given for this file.
        named: whether ``block`` was given for this file, so that its ``input_name`` is the file's.

    Raises:
        DeployError: ``DOORS-DIFFER`` when no input, or more than one, can take the picture.
    """
    fitting = [spec for spec in found.inputs if _fits(spec.shape, block) is not None]
    same = [spec for spec in fitting if spec.name == block.input_name]
    candidates = same or ([] if named else fitting)
    if len(candidates) != 1 or len(found.inputs) != 1:
        wanted = [TensorSpec(name=block.input_name, shape=(1, block.channels, block.height, block.width))]
        raise differ(where, "input", found.inputs, wanted)
    spec = candidates[0]
    changes: dict[str, Any] = {"input_name": spec.name}
    if spec.name in found.images or spec.dtype in _INTEGERS:
        changes["input_kind"] = "image"
    colour = found.images.get(spec.name)
    if colour is not None and not named and (colour == "GRAY") == (block.color == "GRAY"):
        changes["color"] = colour
    cast = None if spec.dtype == "float32" or spec.name in found.images else spec.dtype
    return block.model_copy(update=changes), Doors(
        channels_last=_fits(spec.shape, block) == "last", dtype=cast
    )


def match_outputs(found: Found, reference: Artifact, where: str) -> dict[str, str]:
    """The file's output names to the reference's, for every output that the reference's decoder reads.

    Raises:
        DeployError: ``DOORS-DIFFER`` when an output is not there, or shapes leave it open which one it is.
    """
    wanted = [spec for spec in reference.outputs if spec.name in outputs_read(reference)]
    pairs: dict[str, str] = {}
    for spec in wanted:
        same = [each for each in found.outputs if each.name == spec.name and _alike(each.shape, spec.shape)]
        alike = [each for each in found.outputs if _alike(each.shape, spec.shape)]
        rivals = [each for each in reference.outputs if _alike(each.shape, spec.shape)]
        if same:
            pairs[same[0].name] = spec.name
        elif len(alike) == 1 and len(rivals) == 1:
            pairs[alike[0].name] = spec.name
        else:
            raise differ(where, "output", found.outputs, wanted)
    return pairs


def demand_decode(found: Found, decode: Decode, reference: Artifact, where: str) -> None:
    """Check a decode block given for the file: of the reference's kind, reading outputs that are there."""
    if decode.kind != reference.decode.kind:
        raise DeployError(
            "DOORS-DIFFER",
            f"The --decode block says {decode.kind}; the reference's outputs are {reference.decode.kind}.",
            "Give a block of the reference's kind, or compare with another reference.",
            ExitCode.INCOMPARABLE,
        )
    names = {spec.name for spec in found.outputs}
    if not {getattr(decode, key, None) for key in ("output", "protos")} - {None} <= names:
        raise differ(where, "output", found.outputs, reference.outputs)


def outputs_read(reference: Artifact) -> set[str]:
    """Names of the outputs that the reference's decoder reads; all of them where nothing is known."""
    read = {getattr(reference.decode, key, None) for key in ("output", "protos")} - {None}
    return {str(name) for name in read} or {spec.name for spec in reference.outputs}


def differ(where: str, side: str, found: Any, wanted: Any) -> DeployError:
    """``DOORS-DIFFER`` with both sides in full."""
    mend = "--preprocess FILE" if side == "input" else "--decode FILE"
    return DeployError(
        "DOORS-DIFFER",
        f"The {side}s of {where} cannot be told apart or do not fit the reference: it has {_list(found)}; "
        f"the reference {_list(wanted)}.",
        f"Compare it with its own original, or describe the file's {side}s with {mend}.",
        ExitCode.INCOMPARABLE,
    )


def _list(specs: Any) -> str:
    return ", ".join(
        f"{each.name} {'x'.join('?' if size < 0 else str(size) for size in each.shape) or 'scalar'}"
        for each in specs
    )


def _fits(shape: tuple[int, ...], block: Preprocess) -> str | None:
    """``first`` or ``last`` for where the channels are, ``None`` for a shape that takes no such picture."""
    if _alike(shape, (1, block.channels, block.height, block.width)):
        return "first"
    return "last" if _alike(shape, (1, block.height, block.width, block.channels)) else None


def _alike(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """The same shape; -1 is any size."""
    return len(shape) == len(other) and all(a in (b, -1) for a, b in zip(shape, other, strict=True))
