"""An ultralytics detection or segmentation checkpoint (``.pt``)."""

from __future__ import annotations

from pathlib import Path

from deploy.contracts.artifact import Source
from deploy.contracts.decode import YoloDecode
from deploy.contracts.preprocess import Preprocess
from deploy.contracts.tensor import TensorSpec
from deploy.errors import DeployError
from deploy.store import sha256_bytes, sha256_file
from deploy.toolchain import installed
from export.request import ExportRequest
from export.sources.protocol import LoadedModel


class UltralyticsSource:
    """See ``export.sources.protocol.ModelSource``."""

    training_data: str | None = None
    decode_kind = "yolo"

    def __init__(self, request: ExportRequest) -> None:
        self._path = Path(request.spec)
        if not self._path.is_file():
            raise DeployError(
                "CHECKPOINT-MISSING", f"{self._path} does not exist.", "Check the path of the checkpoint."
            )
        self._request = request
        self.name = self._path.stem

    def fingerprint(self) -> Source:
        """The checkpoint by content; ultralytics' version stands for its code."""
        code = sha256_bytes(f"ultralytics:{installed('ultralytics')}:{self._request.image_size}".encode())
        return Source(
            spec=str(self._path), kind="ultralytics", weights_sha256=sha256_file(self._path), code_sha256=code
        )

    def training_set(self) -> None:
        """Nobody knows: the file does not say."""
        return

    def load(self) -> LoadedModel:
        """The fused model in export form: one head tensor, and prototypes for a segmentation head."""
        from training.models.ultralytics_yolo import load_yolo

        yolo = load_yolo(self._path)
        size = self._request.image_size or yolo.image_size
        if size % yolo.stride:
            raise DeployError(
                "INPUT-SHAPE",
                f"{size} is not a multiple of this model's stride {yolo.stride}.",
                f"Take --image-size {round(size / yolo.stride) * yolo.stride or yolo.stride}.",
            )
        masks = yolo.mask_coefficients > 0
        return LoadedModel(
            module=yolo.module,
            inputs=(TensorSpec(name="image", shape=(1, 3, size, size)),),
            output_names=("head", "protos") if masks else ("head",),
            preprocess=Preprocess(input_name="image", width=size, height=size, resize="letterbox"),
            decode=YoloDecode(
                output="head",
                protos="protos" if masks else None,
                class_names=yolo.class_names,
                mask_coefficients=yolo.mask_coefficients,
            ),
            task="instance_segmentation" if masks else "detection",
        )
