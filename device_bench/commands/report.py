"""``deploy report``: results as a table, Markdown or one HTML page that needs no network."""

from __future__ import annotations

from pathlib import Path

import click

from deploy.commands.options import json_option, seed_option

EPILOG = """\b
Examples:
  deploy report results/*
  deploy report results/* accuracy.json --html report.html
  deploy report demo --markdown report.md
"""


@click.command("report", epilog=EPILOG)
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--html", type=click.Path(path_type=Path), help="Write one self-contained page here.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write Markdown here.")
@seed_option
@json_option
def command(results: tuple[Path, ...], html: Path | None, markdown: Path | None, seed: int) -> int:
    """Show RESULTS (folders of bench, accuracy.json files of verify, or folders that hold them)."""
    from deploy import console
    from deploy.errors import DeployError, ExitCode
    from deploy.store import write_atomic
    from device_bench.report.gather import gather
    from device_bench.report.terminal import show_report

    with console.progress("reading results", None) as bar:
        report = gather(results, seed, bar.label)
    if not report.runs and not report.accuracy and not report.comparisons and not report.broken:
        raise DeployError(
            "NO-RESULTS",
            f"{', '.join(map(str, results))} holds no results.",
            "Make some with: deploy bench artifacts/*",
        )
    show_report(report)
    if markdown is not None:
        from device_bench.report.markdown import to_markdown

        write_atomic(markdown, to_markdown(report))
        console.say(f"Wrote {markdown}.")
    if html is not None:
        from device_bench.report.html import to_html

        write_atomic(html, to_html(report))
        console.say(f"Wrote {html}.")
    if html is None and not console.is_machine():
        console.next_steps([f"deploy report {' '.join(map(str, results))} --html report.html"])
    return ExitCode.ERROR if report.broken else ExitCode.PASS
