"""``deploy export`` of a promptable run: the bundles, their parts and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from export.bundles.flow import Bundled
    from export.request import ExportRequest


def export_bundles(request: ExportRequest) -> int:
    """Export, show a table of parts, and say what to type next; exit code 3 when a bundle is missing."""
    from deploy import console
    from deploy.errors import ExitCode
    from export.bundles.flow import build_bundles

    results = build_bundles(request)
    console.emit({"bundles": [_json(each) for each in results]})
    columns = ["bundle", "part", "precision", "result", "size", "parity", "seconds"]
    console.table(f"Bundles in {request.out}", columns, [row for each in results for row in _rows(each)])
    for each in results:
        _show_details(each)
    done = [each for each in results if each.folder is not None]
    _next(done)
    return ExitCode.PASS if len(done) == len(results) else ExitCode.FAIL


def _rows(result: Bundled) -> list[list[str]]:
    from export.commands.export import describe

    name = result.folder.name if result.folder else f"{result.target} {result.precision}"
    rows = []
    for role, built in result.parts.items():
        _, precision, status, size, _, parity, seconds, _ = describe(built)
        rows.append([name, role, precision, status, size, parity, seconds])
        name = ""
    if result.bundle is not None:
        count = len(result.bundle.encoded.phrases)
        rows.append(
            ["", f"{count} phrases", "", "encoded", f"{result.bundle.model_bytes / 1e6:.2f} MB", "", ""]
        )
    return rows


def _show_details(result: Bundled) -> None:
    from deploy import console

    label = f"{result.target} {result.precision}"
    if result.folder is None:
        console.say(f"{label}: no bundle: {result.reason}")
        for built in result.parts.values():
            if built.row is not None and built.folder is None:
                console.say(f"  → {built.row.remedy}")
        return
    assert result.bundle is not None
    for role, part in result.bundle.parts.items():
        if part.reason is not None:
            console.say(f"{label}: its {role} is {part.precision}: {part.reason}")


def _json(result: Bundled) -> dict[str, Any]:
    from export.commands.export import as_json

    return {
        "target": result.target,
        "precision": result.precision,
        "cached": result.cached,
        "folder": str(result.folder) if result.folder else None,
        "bundle": result.bundle.to_json() if result.bundle else None,
        "reason": result.reason,
        "parts": {role: as_json(built) for role, built in result.parts.items()},
    }


def _next(done: list[Bundled]) -> None:
    from deploy import console

    exports = [each for each in done if each.bundle and each.bundle.role == "export"]
    if not exports:
        return
    folders = " ".join(str(each.folder) for each in exports)
    steps = [f"deploy verify {folders} --task promptable_masks"]
    runnable = next((each for each in exports if each.target != "coreml"), None)
    if runnable is not None and runnable.bundle is not None:
        phrase = runnable.bundle.prompts.phrases[0]
        steps.append(f'deploy bench {runnable.folder} --clip CLIP --phrase "{phrase}"')
    console.next_steps(steps)
