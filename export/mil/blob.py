"""The weight blob of an ML Program (storage format 2): records found by offset, read through a memory map."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.mil.values import broken, byte_count, decode, element_count

_HEADER = struct.Struct("<II")  # number of records, format version
_RECORD = struct.Struct("<IIQQ")  # sentinel, dtype, bytes of data, offset of the data
_SENTINEL = 0xDEADBEEF
_VERSION = 2


class BlobFile:
    """One ``weight.bin``; nothing is read before a value is asked for.

    Raises:
        DeployError: ``PACKAGE-BROKEN`` when the file is missing, too short, or of another format.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file() or path.stat().st_size < _HEADER.size:
            raise broken(f"its weight file {path.name} is missing or empty")
        self._bytes: NDArray[np.uint8] = np.memmap(path, np.uint8, mode="r")
        _, version = _HEADER.unpack(self._bytes[: _HEADER.size].tobytes())
        if version != _VERSION:
            raise broken(f"its weight file {path.name} has format {version}, not {_VERSION}")

    def read(self, offset: int, dtype: str, shape: Sequence[int | None]) -> NDArray[Any]:
        """The array whose record starts at ``offset``.

        Raises:
            DeployError: ``PACKAGE-BROKEN`` for an offset outside the file, a wrong sentinel, data that
                reach beyond the end, or fewer bytes than the shape needs.
        """
        size = self._bytes.size
        if offset + _RECORD.size > size:
            raise broken(f"a weight's record at byte {offset} lies outside the weight file ({size} bytes)")
        sentinel, _, stored, start = _RECORD.unpack(self._bytes[offset : offset + _RECORD.size].tobytes())
        if sentinel != _SENTINEL:
            raise broken(f"byte {offset} of the weight file starts no record")
        if start + stored > size:
            raise broken(
                f"the weight at byte {start} reaches beyond the end of the weight file ({size} bytes)"
            )
        needed = byte_count(dtype, element_count(shape))
        if stored < needed:
            raise broken(f"the weight at byte {start} has {stored} bytes where its shape needs {needed}")
        return decode(self._bytes[start : start + stored], dtype, shape)
