"""How often each class occurs, before and after cutting: what is rare, and what pasting has to make up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deploy import console
from training.data.boxes.tiles import TiledPictures


@dataclass(frozen=True)
class Share:
    """One class. ``pictures``: in which it occurs; ``objects``: in pictures; ``on_tiles``: counted objects of
    all kept tiles; ``ignored``: those that an edge cuts too far."""

    pictures: int
    objects: int
    on_tiles: int
    ignored: int


@dataclass(frozen=True)
class Balance:
    """All classes by index, and the tiles: kept ones, empty ones among them, and empty ones left out."""

    shares: tuple[Share, ...]
    tiles: int
    empty_kept: int
    empty_dropped: int

    @classmethod
    def of(cls, cut: TiledPictures) -> Balance:
        """Count."""
        count = len(cut.source.class_names or ())
        return cls(
            shares=tuple(_share(cut, klass) for klass in range(count)),
            tiles=len(cut.tiles),
            empty_kept=cut.empty - cut.dropped,
            empty_dropped=cut.dropped,
        )

    @property
    def on_tiles(self) -> int:
        """Counted objects of all classes on kept tiles."""
        return sum(share.on_tiles for share in self.shares)

    @property
    def imbalance(self) -> float | None:
        """Objects of the commonest class for one of the rarest; ``None`` where a class has none."""
        counts = [share.objects for share in self.shares]
        least = min(counts, default=0)
        return max(counts) / least if least else None


def _share(cut: TiledPictures, klass: int) -> Share:
    in_pictures = [int((truth.classes == klass).sum()) for truth in cut.truths]
    counted = ignored = 0
    for tile in cut.tiles:
        mine = tile.truth.classes == klass
        skip = np.zeros(len(mine), np.bool_) if tile.truth.ignore is None else tile.truth.ignore
        counted += int((mine & ~skip).sum())
        ignored += int((mine & skip).sum())
    return Share(sum(count > 0 for count in in_pictures), sum(in_pictures), counted, ignored)


def show_balance(balance: Balance, names: tuple[str, ...]) -> None:
    """Print the classes, and say which are missing or rare."""
    rows = [
        (name, str(share.pictures), str(share.objects), str(share.on_tiles), str(share.ignored))
        for name, share in zip(names, balance.shares, strict=True)
    ]
    title = (
        f"{balance.tiles} training tiles, {balance.empty_kept} of them empty "
        f"({balance.empty_dropped} empty ones left out)"
    )
    console.table(title, ("class", "pictures", "objects", "on tiles", "cut off"), rows)
    missing = [name for name, share in zip(names, balance.shares, strict=True) if not share.objects]
    if missing:
        console.note(f"No training picture shows {', '.join(missing)}: nothing of it can be learned.")
    elif balance.imbalance is not None and balance.imbalance >= 2:
        rare = min(range(len(names)), key=lambda index: balance.shares[index].objects)
        console.note(f"{names[rare]} is rare: the commonest class has {balance.imbalance:.1f} for each.")
