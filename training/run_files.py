"""The names of the files in a run folder."""

from __future__ import annotations

CONFIG = "config.json"
DATA = "data.sha256"
RESUME = "resume.safetensors"
METRICS = "metrics.jsonl"
CHECKPOINT = "checkpoint.json"
WEIGHTS = "weights.safetensors"
PROMPTS = "prompts.json"
