"""Options that say how pictures are cut into tiles; they change what a file declares, one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from deploy.contracts.tiling import Tiling

TILING_NAMES = ("tile", "overlap", "full_image", "merge", "gate", "when_no_gate")


class TileSize(click.ParamType["tuple[int, int]"]):
    """``640x480`` to (640, 480), width first; ``640`` is a square."""

    name = "WxH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Two positive numbers of pixels."""
        parts = str(value).lower().split("x")
        if len(parts) > 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
            self.fail(f"{value!r} is no tile size; write 640x480, or 640 for a square.", param, ctx)
        return int(parts[0]), int(parts[-1])


class MergeRule(click.ParamType["tuple[str, str, float]"]):
    """``greedy_nmm:ios:0.5`` to its three parts; what is left out takes its default."""

    name = "KIND[:METRIC[:THRESHOLD]]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str, float]:
        """A rule by the names of ``deploy.contracts.tiling.Merge``."""
        kind, _, rest = str(value).partition(":")
        metric, _, threshold = rest.partition(":")
        try:
            found = (kind, metric or "ios", float(threshold or 0.5))
        except ValueError:
            found = ("", "", 0.0)
        kinds, metrics = ("nms", "nmm", "greedy_nmm", "none"), ("iou", "ios")
        if found[0] not in kinds or found[1] not in metrics or not 0 < found[2] <= 1:
            self.fail(f"{value!r} is no merge; write one such as nms:iou:0.5 or none.", param, ctx)
        return found


def tiling_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--tile``, ``--overlap``, ``--full-image``, ``--merge``, ``--gate`` and ``--when-no-gate``."""
    for option in reversed(
        [
            click.option("--tile", type=TileSize(), help="Tile size in picture pixels, such as 640x480."),
            click.option(
                "--overlap",
                type=click.FloatRange(0, 1, max_open=True),
                help="Share of a tile that the next one sees again [default: 0.2].",
            ),
            click.option(
                "--full-image/--no-full-image", default=None, help="Look at the whole picture as well."
            ),
            click.option(
                "--merge",
                type=MergeRule(),
                help="How boxes of several tiles become one: nms, nmm, greedy_nmm or none "
                "[default: greedy_nmm:ios:0.5].",
            ),
            click.option(
                "--gate",
                type=click.FloatRange(0, min_open=True),
                help="Keep what the whole picture hints at within so many box sizes.",
            ),
            click.option(
                "--when-no-gate",
                type=click.Choice(["drop", "keep", "skip"]),
                help="What a picture without any hint gives [default: drop].",
            ),
        ]
    ):
        function = option(function)
    return function


def given_tiling(options: Mapping[str, Any], declared: Tiling | None) -> Tiling | None:
    """The tiling that was typed: the declared one with every option that was given put in its place.

    Returns:
        ``None`` where nothing is declared and no tile size was given.

    Raises:
        click.UsageError: for an option that needs tiles, or a gate, where there are none.
    """
    from deploy.contracts.tiling import Gate, Merge, Tiling

    typed = {name: options[name] for name in TILING_NAMES if options[name] is not None}
    if declared is None and "tile" not in typed:
        if typed:
            raise click.UsageError(f"--{next(iter(typed)).replace('_', '-')} needs --tile WxH.")
        return None
    facts: dict[str, Any] = {} if declared is None else dict(declared)
    if "tile" in typed:
        facts["width"], facts["height"] = typed["tile"]
    facts |= {name: typed[name] for name in ("overlap", "full_image") if name in typed}
    if "merge" in typed:
        kind, metric, threshold = typed["merge"]
        facts["merge"] = Merge(kind=kind, metric=metric, threshold=threshold)
    gate = facts.get("gate")
    if "gate" in typed:
        gate = (gate or Gate()).model_copy(update={"radius": typed["gate"]})
    if "when_no_gate" in typed:
        if gate is None:
            raise click.UsageError("--when-no-gate needs --gate RADIUS.")
        gate = gate.model_copy(update={"when_no_gate": typed["when_no_gate"]})
    return Tiling(**facts | {"gate": gate})
