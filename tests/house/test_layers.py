"""Rooms import downwards only, and heavy packages only where they belong (import-linter, pyproject.toml)."""

from __future__ import annotations

import subprocess
import sys

import grimp
import pytest

from tests.house.tree import ROOMS, ROOT, door_plates

_LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def test_layers_and_homes_of_heavy_packages() -> None:
    done = subprocess.run([sys.executable, "-c", _LINT], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*ROOMS, cache_dir=None)


@pytest.mark.parametrize("plate", sorted(door_plates()))
def test_plugs_do_not_import_each_other(plate: str, graph: grimp.ImportGraph) -> None:
    plugs = {line.partition(":")[0] for line in door_plates()[plate].lines.values()}
    chains = [
        " -> ".join(chain)
        for importer in plugs
        for other in plugs - {importer}
        if (chain := graph.find_shortest_chain(importer, other)) is not None
    ]
    assert not chains, chains
