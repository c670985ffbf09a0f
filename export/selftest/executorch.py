"""Edit the weights of a ``.pte``, inside its XNNPACK or Core ML delegates."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from export.selftest.packages import PackageEditor
from export.selftest.payloads import PayloadEditor
from export.selftest.protocol import Layer


class ExecuTorchCorruptor:
    """See ``export.selftest.protocol.Corruptor``."""

    def __init__(self, model: Path) -> None:
        from executorch.exir._serialize._program import deserialize_pte_binary

        raw = model.read_bytes()
        file: Any = deserialize_pte_binary(raw)
        self._raw = bytearray(raw)
        payloads: dict[str, list[bytes]] = {"XnnpackBackend": [], "CoreMLBackend": []}
        for delegate in file.program.execution_plan[0].delegates:
            data = file.program.backend_delegate_data[delegate.processed.index].data
            payloads.setdefault(delegate.id, []).append(bytes(data))
        named: dict[str, bytes] = {}
        if file.named_data is not None:
            buffers = file.named_data.buffers
            named = {
                key: bytes(_content(buffers[entry.buffer_index]))
                for key, entry in file.named_data.pte_data.items()
            }
        self._payloads = PayloadEditor(self._raw, payloads["XnnpackBackend"], named)
        self._original = b""
        self._package = self._open_package(payloads["CoreMLBackend"])

    def layers(self) -> list[Layer]:
        """Weighted layers inside the delegates."""
        return self._payloads.layers() or (self._package.layers() if self._package else [])

    def read(self, key: str) -> NDArray[Any]:
        """The numbers of a weight, bias or scale."""
        return self._editor.read(key)

    def write(self, key: str, value: NDArray[Any]) -> None:
        """Replace the numbers of a weight, bias or scale."""
        self._editor.write(key, value)

    def save(self, path: Path) -> None:
        """Write one ``.pte``; every byte but the edited ones is the original's."""
        if self._package is not None and self._package.blob:
            start = self._raw.find(self._original)
            self._raw[start : start + len(self._original)] = self._package.blob
            self._original = bytes(self._package.blob)
        path.write_bytes(bytes(self._raw))

    @property
    def _editor(self) -> PayloadEditor | PackageEditor:
        return self._package if self._package is not None and not self._payloads.layers() else self._payloads

    def _open_package(self, payloads: list[bytes]) -> PackageEditor | None:
        """The one package of a Core ML delegate, when its weight blob lies in the file as it is."""
        if len(payloads) != 1:
            return None
        from executorch.backends.apple.coreml import executorchcoreml

        with tempfile.TemporaryDirectory() as folder:
            executorchcoreml.unflatten_directory_contents(payloads[0], folder)
            package = next(Path(folder).rglob("*.mlpackage"))
            editor = PackageEditor(package)
        self._original = bytes(editor.blob)
        return editor if self._original and self._raw.count(self._original) == 1 else None


def _content(buffer: Any) -> Any:
    """A buffer of named data: bytes, or an entry that holds them."""
    return getattr(buffer, "buffer", buffer)
