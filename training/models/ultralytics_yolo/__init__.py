"""The one package that imports ultralytics (AGPL-3.0, an optional extra): its files and its trainer."""

from __future__ import annotations

from training.models.ultralytics_yolo.load import YoloModel, load_yolo

__all__ = ["YoloModel", "load_yolo"]
