"""Rewrite the generated pages: ``python -m docs.generate``. With ``--check`` only say which are stale."""

from __future__ import annotations

import sys
from pathlib import Path

from docs.generators import cli, contracts, errors, milops

FOLDER = Path(__file__).resolve().parent
COMMAND = "python -m docs.generate"


def pages() -> dict[Path, str]:
    """Every generated file and what it should hold."""
    return {
        FOLDER / "cli.md": cli.page(),
        FOLDER / "contracts.md": contracts.page(),
        FOLDER / "errors.md": errors.page(),
        FOLDER / "coreml-runner.md": milops.page(),
        **{FOLDER / "schemas" / name: text for name, text in contracts.schemas().items()},
    }


def stale() -> list[Path]:
    """Generated files that are missing, differ from the code, or should no longer be there."""
    wanted = pages()
    left_over = [path for path in (FOLDER / "schemas").glob("*.json") if path not in wanted]
    return [path for path, text in wanted.items() if not _same(path, text)] + left_over


def main(arguments: list[str]) -> int:
    """Write what is stale; exit code 1 under ``--check`` when something is."""
    found = stale()
    wanted = pages()
    for path in found:
        sys.stdout.write(f"{path.relative_to(FOLDER.parent)}\n")
        if "--check" in arguments:
            continue
        if path in wanted:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
    return 1 if found and "--check" in arguments else 0


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
