"""``package.module:function``: anybody's own torch model, built by calling the function."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from deploy.contracts.artifact import Source
from deploy.contracts.decode import Decode, TensorsDecode
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tensor import TensorSpec
from deploy.errors import DeployError
from deploy.registry import load_object
from deploy.store import sha256_bytes, sha256_file
from export.blocks import read_block
from export.request import ExportRequest
from export.sources.code import code_digest
from export.sources.protocol import LoadedModel

if TYPE_CHECKING:
    from torch import Tensor, nn


class PythonSource:
    """See ``export.sources.protocol.ModelSource``."""

    training_data: str | None = None

    def __init__(self, request: ExportRequest) -> None:
        if not request.inputs:
            raise DeployError(
                "INPUT-SHAPE",
                f"{request.spec} does not say what it takes.",
                f"Add its input: deploy export {request.spec} --input image=1x3x256x256",
            )
        self._request = request
        if "" not in sys.path:
            sys.path.insert(0, "")  # the user's package in the current folder, as for python -m
        self.name = request.spec.replace(":", "-").replace(".", "-")

    @property
    def decode_kind(self) -> str:
        """What ``--decode`` says."""
        return self._decode().kind

    def fingerprint(self) -> Source:
        """The weights file and the sources of the top-level package, by content.

        Without a weights file the model is built and its tensors are hashed: the function may read a file of
        its own, and a changed one must never be answered from the cache.
        """
        weights = self._request.weights
        digest = sha256_file(weights) if weights else self._built_digest()
        code = code_digest(self._request.spec.partition(":")[0].partition(".")[0])
        return Source(spec=self._request.spec, kind="python", weights_sha256=digest, code_sha256=code)

    def training_set(self) -> None:
        """Nobody knows: the file does not say."""
        return

    def load(self) -> LoadedModel:
        """Call the function, load the weights strictly, and read the preprocess and decode blocks."""
        import torch

        from training.models.weights import fit_state, load_state

        torch.manual_seed(self._request.seed)
        module = self._build().eval()
        if self._request.weights is not None:
            fit_state(module, load_state(self._request.weights))
        return LoadedModel(
            module=module.float(),
            inputs=tuple(TensorSpec(name=name, shape=shape) for name, shape in self._request.inputs),
            output_names=None,
            preprocess=self._preprocess(),
            decode=self._decode(),
            task="tensors" if self._request.decode is None else self._decode().kind,
        )

    def _built_digest(self) -> str:
        import torch

        torch.manual_seed(self._request.seed)
        lines = [
            f"{name}:{tensor.dtype}:{tuple(tensor.shape)}:{sha256_bytes(_bytes(tensor))}"
            for name, tensor in self._build().state_dict().items()
        ]
        return sha256_bytes("\n".join(lines).encode())

    def _build(self) -> nn.Module:
        from torch import nn

        try:
            module: object = load_object(self._request.spec)()  # type: ignore[operator]
        except (ImportError, AttributeError) as error:
            raise DeployError(
                "SOURCE-UNKNOWN",
                f"{self._request.spec} cannot be imported: {error}.",
                "Run it from the folder that holds the package, or install the package.",
            ) from error
        except Exception as error:
            raise DeployError(
                "MODEL-BUILD",
                f"{self._request.spec}() raised {type(error).__name__}: {error}.",
                "Mend the function; it must return a torch.nn.Module without arguments.",
            ) from error
        if not isinstance(module, nn.Module):
            raise DeployError(
                "MODEL-BUILD",
                f"{self._request.spec}() returned {type(module).__name__}, not a torch.nn.Module.",
                "Return the module itself.",
            )
        return module

    def _preprocess(self) -> Preprocess | None:
        """The block from ``--preprocess``; for one picture-like input 0..1 RGB is assumed."""
        name, shape = self._request.inputs[0]
        if self._request.preprocess is not None:
            block: Preprocess = read_block(self._request.preprocess, "preprocess", Preprocess)
            wanted = (1, block.channels, block.height, block.width)
            if (block.input_name, wanted) != (name, shape) or len(self._request.inputs) > 1:
                raise DeployError(
                    "INPUT-SHAPE",
                    f"{self._request.preprocess} prepares {block.input_name}={_text(wanted)}, "
                    f"but the input is {', '.join(f'{n}={_text(s)}' for n, s in self._request.inputs)}.",
                    "Make --input and --preprocess say the same.",
                )
            return block
        if len(self._request.inputs) > 1 or len(shape) != 4 or shape[0] != 1 or shape[1] not in (1, 3):
            return None
        gray = {"color": "GRAY", "mean": (0.0,), "std": (1.0,)} if shape[1] == 1 else {}
        return Preprocess(input_name=name, height=shape[2], width=shape[3], **gray)  # type: ignore[arg-type]

    def _decode(self) -> Decode:
        if self._request.decode is None:
            return TensorsDecode()
        return read_block(self._request.decode, "decode", Decode)  # type: ignore[no-any-return]


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _bytes(tensor: Tensor) -> bytes:
    import torch

    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
