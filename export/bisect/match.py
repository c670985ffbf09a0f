"""Which value of a file is which node of the captured program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from export.bisect.protocol import Seen
from export.parity import sqnr_db

Values = Mapping[str, NDArray[np.float32]]

_SUFFIXES = (
    "_QuantizeLinear_Output",
    "_DequantizeLinear_Output",
    "_cast_fp16",
    "_cast_fp32",
    "_dequantized",
    "_quantized",
    "_inner",
    "_read",
    "_to_fp16",
    "_to_fp32",
    "_dq",
    "_q",
)
"""What exporters and quantizers add to the name of the node that a value belongs to."""


def by_name(seen: Sequence[Seen], reference: Values, doors: Mapping[str, str]) -> dict[int, str]:
    """Position in ``seen`` to the name of its node.

    A value is called as its node, with suffixes; an output has the file's own name. Values of other names
    (a converter made an op of several, or turned it round) are matched when exactly one unmatched value on
    either side has their shape.

    Args:
        doors: output names of the file to the nodes they are.
    """
    pairs: dict[int, str] = {}
    for place, value in enumerate(seen):
        name = doors.get(value.name) or _node(value.name, reference)
        if name in reference and reference[name].shape == value.value.shape:
            pairs[place] = name
    taken = set(pairs.values())
    left = [name for name in reference if name not in taken]
    rest = [place for place in range(len(seen)) if place not in pairs]
    for place in rest:
        shape = seen[place].value.shape
        mine = [each for each in rest if seen[each].value.shape == shape]
        theirs = [name for name in left if reference[name].shape == shape]
        if len(mine) == 1 and len(theirs) == 1:
            pairs[place] = theirs[0]
    return pairs


def by_content(seen: Sequence[Seen], reference: Values) -> dict[int, str]:
    """Position in ``seen`` to the node whose value it is closest to, among those of its shape."""
    pairs: dict[int, str] = {}
    for place, value in enumerate(seen):
        alike = [name for name, each in reference.items() if each.shape == value.value.shape]
        if alike:
            pairs[place] = max(alike, key=lambda name: sqnr_db(reference[name], value.value))
    return pairs


def _node(name: str, reference: Iterable[str]) -> str:
    """The name without what was added to it, as long as something known ends there."""
    while name not in reference:
        suffix = next((each for each in _SUFFIXES if name.endswith(each)), None)
        if suffix is None:
            return ""
        name = name.removesuffix(suffix)
    return name
