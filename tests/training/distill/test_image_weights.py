"""An image encoder that begins with a classifier's weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from deploy.errors import DeployError
from training.distill.settings import PromptableOptions
from training.distill.start import begin
from training.models.promptable.arguments import model_arguments
from training.models.promptable.model import Promptable
from training.text import open_tokenizer

NAME = "mobilenetv4_conv_small_050"


def _model(options: PromptableOptions) -> Promptable:
    return Promptable(**model_arguments(options, 64, open_tokenizer("words", ["red disc", "object"])))


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_the_backbone_is_the_classifiers(tmp_path: Path, suffix: str) -> None:
    torch.manual_seed(1)
    classifier = timm.create_model(NAME).eval()
    path = tmp_path / f"weights.{suffix}"
    if suffix == "pth":
        torch.save({"state_dict": classifier.state_dict()}, path)
    else:
        save_file(classifier.state_dict(), path)
    options = PromptableOptions(backbone=f"timm:{NAME}", levels=3, image_weights=str(path))
    model = _model(options).eval()
    begin(model, options, None)  # type: ignore[arg-type]
    picture = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        wanted = classifier.forward_intermediates(picture, intermediates_only=True)[:3]
        found = model.image.backbone(picture)
    assert len(found) == 3
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


@pytest.mark.parametrize(("backbone", "name"), [("small", NAME), (f"timm:{NAME}", "mobilenetv4_conv_small")])
def test_weights_of_another_model_are_refused(tmp_path: Path, backbone: str, name: str) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(timm.create_model(name).state_dict(), path)
    options = PromptableOptions(backbone=backbone, image_weights=str(path))
    with pytest.raises(DeployError) as caught:
        begin(_model(options), options, None)  # type: ignore[arg-type]
    assert caught.value.error_id == "IMAGE-WEIGHTS"
