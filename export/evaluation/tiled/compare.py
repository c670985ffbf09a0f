"""Several reports in one table, or a refusal: figures of different protocols are not comparable."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.contracts.tiled_report import TiledReport
from deploy.errors import DeployError, ExitCode


def demand_same_protocol(reports: Sequence[TiledReport]) -> None:
    """Raise ``INCOMPARABLE-PROTOCOL`` (exit code 5) unless all were made alike, and say what differs."""
    for each in reports:
        if each.protocol_sha256 != each.protocol.digest():
            raise DeployError(
                "INCOMPARABLE-PROTOCOL",
                f"The protocol of {each.name} is not the one its hash was taken of; the report was edited.",
                "Evaluate again: deploy verify ARTIFACT --task tiled_detection --data DIR",
                ExitCode.INCOMPARABLE,
            )
    for other in reports[1:]:
        if other.protocol != reports[0].protocol:
            raise DeployError(
                "INCOMPARABLE-PROTOCOL",
                f"{reports[0].name} and {other.name} were evaluated by different protocols "
                f"({_difference(reports[0], other)}); their figures cannot share a table.",
                "Evaluate both in one go: deploy verify ARTIFACT ARTIFACT2 --task tiled_detection --data DIR",
                ExitCode.INCOMPARABLE,
            )


def _difference(one: TiledReport, other: TiledReport) -> str:
    """The first field that differs, with both values cut short."""
    first, second = one.protocol.to_json(), other.protocol.to_json()
    field = next(key for key in first if first[key] != second[key])
    return f"{field.replace('_', ' ')}: {str(first[field])[:60]} and {str(second[field])[:60]}"
