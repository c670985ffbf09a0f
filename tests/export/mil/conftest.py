"""One thread, and hypothesis without a database or a clock (machines of CI are slow now and then)."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

settings.register_profile("mil", max_examples=12, deadline=None, database=None, derandomize=True)
settings.load_profile("mil")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Other tests may have set more threads, which slows small ops down on shared cores."""
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    yield
