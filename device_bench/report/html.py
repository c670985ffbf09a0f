"""One HTML page with everything inside: styles, charts, pictures and the chart library; no network."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from deploy import __version__
from deploy.errors import DeployError
from device_bench.report import charts
from device_bench.report.advice import advice
from device_bench.report.cells import accuracy_view, cell, pair_view, run_view, tiles
from device_bench.report.clip_groups import clip_views
from device_bench.report.provenance import provenance
from device_bench.report.rows import reasons
from device_bench.score.model import Report


def to_html(report: Report) -> str:
    """The page. Raises ``REPORT-TOOLS-MISSING`` where jinja2 or plotly is not installed."""
    try:
        from jinja2 import Environment, PackageLoader
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise DeployError(
            "REPORT-TOOLS-MISSING",
            f"The HTML page needs {error.name}, which is not installed.",
            "Type: pip install 'pocketproof[bench]'",
        ) from error
    environment = Environment(
        loader=PackageLoader("device_bench", "report"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    clips = clip_views(report)
    plots = _plots(report) + [view.plot for view in clips if view.plot is not None]
    environment.globals["as_cell"] = cell
    page = environment.get_template("page.html.jinja").render(
        title=_title(report),
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=__version__,
        devices=sorted({f"{s.run.device.name} · {s.run.device.cpu}" for s in report.runs}),
        tiles=tiles(report),
        runs=[run_view(report, score) for score in report.runs],
        pairs=[pair_view(index, score) for index, score in enumerate(report.comparisons)],
        clips=clips,
        accuracy=[accuracy_view(path, accuracy) for path, accuracy in report.accuracy],
        broken=report.broken,
        reasons=reasons(report),
        advice=advice([(score.name, score.taints) for score in report.runs]),
        provenance=provenance(report),
        has={plot["id"] for plot in plots},
        plots=_script_json(plots),
    )
    # the library is put in last: five megabytes of it need no template engine
    return page.replace("/*PLOTLY*/", get_plotlyjs().replace("</script", "<\\/script"), 1)


def _title(report: Report) -> str:
    names = sorted({score.plan.artifact for score in report.runs})
    return " · ".join(names) if 0 < len(names) <= 3 else "Bench report"


def _plots(report: Report) -> list[dict[str, Any]]:
    """Charts that have data: id, traces and axis titles; page.js adds the looks."""
    found = [
        _plot("tradeoff", charts.tradeoff(report), "median inference, ms", "accuracy drop"),
        _plot("sizes", charts.sizes(report), "file, MB", "accuracy drop"),
        _plot("distribution", charts.distribution(report), "inference, ms", "% of frames", legend=False),
        _plot("timeline", charts.timeline(report), "seconds into the run", "inference, ms", legend=False),
    ]
    for index, score in enumerate(report.comparisons):
        found.append(_plot(f"pairs-{index}", charts.ratios(score), "B over A, per pair", "pairs"))
    return [plot for plot in found if plot["traces"]]


def _plot(name: str, traces: list[charts.Trace], x: str, y: str, legend: bool = True) -> dict[str, Any]:
    """A chart; times that spread over more than a factor of ten are drawn on a logarithmic axis."""
    values = [value for trace in traces for value in trace["x"] if value] if "ms" in x else []
    x_log = bool(values) and min(values) > 0 and max(values) / min(values) > 10
    label = f"{x} (log)" if x_log else x
    return {"id": name, "traces": traces, "x": label, "y": y, "x_log": x_log, "legend": legend}


def _script_json(payload: Any) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(payload, allow_nan=False, separators=(",", ":")).replace("</", "<\\/")
