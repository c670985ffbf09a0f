"""Generated pages are what the code says now, and error ids are complete."""

from __future__ import annotations

import ast
import re

from docs.generate import COMMAND, FOLDER, stale
from docs.generators.errors import ID, entries
from tests.house.tree import ROOT, called, calls, modules


def test_generated_pages_are_fresh() -> None:
    found = [path.relative_to(ROOT).as_posix() for path in stale()]
    assert not found, f"stale: {found}; type: {COMMAND}"


def test_every_error_has_words_and_a_remedy() -> None:
    for entry in entries():
        assert entry.when.strip(), entry
        assert entry.remedy.strip(), entry


def test_errors_with_an_id_of_their_own_making_are_passed_on_only() -> None:
    """An id must stand in the code as a literal, or ``docs/errors.md`` cannot list it."""
    passed_on = {
        "deploy/registry.py",  # UNKNOWN-<KIND>, listed for every door plate
        "device_bench/compare.py",  # the worker's end
        "device_bench/reference.py",  # the run's failure
    }
    made = {
        module.place
        for module in modules()
        for call in calls(module.tree)
        if called(call) == "DeployError" and not isinstance(call.args[0], ast.Constant)
    }
    assert made <= passed_on, f"ids that are no literals: {sorted(made - passed_on)}"


def test_options_named_in_remedies_exist() -> None:
    """A remedy that names an option nobody has sends the user in a circle."""
    from docs.generators.cli import command_at, leaf_commands

    options = {
        name
        for path in leaf_commands()
        for p in command_at(path).params
        for name in (*p.opts, *p.secondary_opts)
    } | {"--help"}
    wrong = {
        f"{entry.id} ({entry.place}): {option}"
        for entry in entries()
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", entry.remedy)
        if option not in options
    }
    assert not wrong, wrong


def test_ids_in_hand_written_pages_exist() -> None:
    """A page must not promise an error that the code never raises."""
    known = {entry.id for entry in entries()}
    taints = _taints()
    generated = {"cli.md", "contracts.md", "errors.md"}
    wrong = {
        f"{path.name}: {word}"
        for path in [*FOLDER.glob("*.md"), ROOT / "README.md"]
        if path.name not in generated
        for word in re.findall(r"`([A-Z][A-Z0-9]*(?:-[A-Z0-9]+)+)`", path.read_text(encoding="utf-8"))
        if word not in known | taints | {"CANNOT-TELL"}
    }
    assert not wrong, wrong


_SPEAKERS = (
    "device_bench",
    "export.runners",
    "export.foreign",
    "export.lint",
    "export.selftest",
    "export.evaluation.tiled.leaks",
)


def _taints() -> set[str]:
    """Upper-case words with a dash in the code that prints them: taints, lint findings, outcomes."""
    return {
        node.value
        for module in modules()
        if module.name.startswith(_SPEAKERS)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and ID.fullmatch(node.value)
    }
