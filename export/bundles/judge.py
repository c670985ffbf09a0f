"""The verdict on an exported chain: its mIoU as a share of the student's, on the same drawn pictures."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.contracts.promptable import PromptableReport, PromptableRow
from deploy.contracts.verdict import Verdict
from deploy.prompts.hashing import KINDS
from deploy.statistics.verdict import judge_span

PRIMARY = "mIoU"


def judged(
    report: PromptableReport, taints: Mapping[str, tuple[str, ...]], budget: float
) -> PromptableReport:
    """The report with a verdict and the taints of its runner in every exported row.

    Args:
        report: of students and chains on the same prompts.
        taints: by chain name.
        budget: the largest drop that is allowed, as a share of the student's figure.
    """
    pictures = report.protocol.pictures
    rows = [
        row.model_copy(
            update={"taints": taints.get(row.name, ()), "verdict": _verdict(row, budget, pictures)}
        )
        if row.role == "exported"
        else row
        for row in report.rows
    ]
    return report.model_copy(update={"rows": tuple(rows)})


def _verdict(row: PromptableRow, budget: float, pictures: int) -> Verdict:
    """On the first kind of prompt that has the figure, text before points before boxes."""
    for kind in KINDS:
        for share in row.relative:
            if (share.kind, share.metric) == (kind, PRIMARY) and share.to.startswith("student "):
                low = None if share.high is None else 1 - share.high
                high = None if share.low is None else 1 - share.low
                metric = f"{kind} {PRIMARY}, relative"
                return judge_span(metric, 1 - share.ratio, low, high, budget, pictures)
    return judge_span(PRIMARY, None, None, None, budget, pictures)
