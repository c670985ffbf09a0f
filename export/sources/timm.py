"""``timm:NAME``: a timm classifier with weights from a file, or from the hub when none is given."""

from __future__ import annotations

from typing import Any, Literal

from deploy.contracts.artifact import Source
from deploy.contracts.decode import ClassifyDecode
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tensor import TensorSpec
from deploy.errors import DeployError
from deploy.store import sha256_bytes, sha256_file
from deploy.toolchain import installed
from export.request import ExportRequest
from export.sources.protocol import LoadedModel


class TimmSource:
    """See ``export.sources.protocol.ModelSource``."""

    training_data: str | None = None
    decode_kind = "classify"

    def __init__(self, request: ExportRequest) -> None:
        self._request = request
        self._model = request.spec.removeprefix("timm:")
        self.name = self._model

    def fingerprint(self) -> Source:
        """The weights file by content; hub weights by name and timm version, which pins them."""
        version = installed("timm") or "none"
        weights = self._request.weights
        digest = sha256_file(weights) if weights else sha256_bytes(f"hub:{self._model}:{version}".encode())
        code = sha256_bytes(f"timm:{self._model}:{version}".encode())
        return Source(spec=self._request.spec, kind="timm", weights_sha256=digest, code_sha256=code)

    def training_set(self) -> None:
        """Nobody knows: the file does not say."""
        return

    def load(self) -> LoadedModel:
        """Build the network and load the weights strictly by name."""
        import timm
        from timm.data.config import resolve_model_data_config

        from training.models.weights import fit_state, load_state

        if not timm.is_model(self._model):
            close = (
                ", ".join(timm.list_models(f"*{self._model[:8]}*")[:6]) or "deploy doctor shows the version"
            )
            raise DeployError(
                "UNKNOWN-MODEL",
                f"timm {timm.__version__} has no model {self._model!r}.",
                f"Like it: {close}.",
            )
        weights = self._request.weights
        try:
            module = timm.create_model(self._model, pretrained=weights is None).eval()
        except Exception as error:
            raise DeployError(
                "WEIGHTS-UNREACHABLE",
                f"The pretrained weights of {self._model} could not be fetched: {str(error).splitlines()[0]}",
                f"Give a file: deploy export {self._request.spec} --weights FILE.safetensors",
            ) from error
        if weights is not None:
            fit_state(module, load_state(weights))
        config: dict[str, Any] = resolve_model_data_config(module)  # type: ignore[no-untyped-call]
        channels, height, width = config["input_size"]
        if self._request.image_size:
            height = width = self._request.image_size
        return LoadedModel(
            module=module,
            inputs=(TensorSpec(name="image", shape=(1, channels, height, width)),),
            output_names=("logits",),
            preprocess=Preprocess(
                input_name="image",
                width=width,
                height=height,
                resize="shortest_crop",
                crop_fraction=config["crop_pct"],
                interpolation=_interpolation(config["interpolation"]),
                antialias=True,
                mean=config["mean"],
                std=config["std"],
            ),
            decode=ClassifyDecode(output="logits"),
            task="classification",
        )


def _interpolation(name: str) -> Literal["nearest", "bilinear", "bicubic"]:
    """timm's name of a resampling filter to ours; its ``random`` is a training setting."""
    known: dict[str, Literal["nearest", "bicubic"]] = {"nearest": "nearest", "bicubic": "bicubic"}
    return known.get(name, "bilinear")
