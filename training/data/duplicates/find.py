"""Which pictures of a gallery are an earlier one again: by content first, then by looks and proof."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from training.data.duplicates.gallery import Gallery
from training.data.duplicates.likeness import Alike, same_picture
from training.data.duplicates.pairs import close_pairs

_MOST_PROOFS = 128
"""Kept pictures a picture is compared with at most: those whose hash is nearest, of these the latest. Frames
of a fixed camera have near hashes; with 32, the latest alone, a third of planted copies went unseen."""


@dataclass(frozen=True)
class Duplicate:
    """Picture ``index`` is picture ``original`` again; ``exact``: byte for byte."""

    index: int
    original: int
    exact: bool


def find_duplicates(gallery: Gallery, how: Alike) -> tuple[Duplicate, ...]:
    """All pictures that repeat an earlier one of the gallery's order; the earliest is never named.

    A picture is compared with what is kept, never with another duplicate, so that a slow change cannot carry
    a whole day away.
    """
    first: dict[str, int] = {}
    found: dict[int, Duplicate] = {}
    for index, digest in enumerate(gallery.digests):
        if digest in first:
            found[index] = Duplicate(index, first[digest], exact=True)
        else:
            first[digest] = index
    unique = list(first.values())
    earlier: dict[int, list[int]] = defaultdict(list)
    for one, other in close_pairs(gallery.looks[unique], how.distance).tolist():
        earlier[unique[other]].append(unique[one])
    for index in unique:
        kept = [each for each in earlier[index] if each not in found]
        kept.sort(key=lambda each: (_apart(gallery, each, index), -each))
        for original in kept[:_MOST_PROOFS]:
            if same_picture(gallery.thumb(original), gallery.thumb(index), how):
                found[index] = Duplicate(index, original, exact=False)
                break
    return tuple(_rooted(found[index], found) for index in sorted(found))


def _apart(gallery: Gallery, one: int, other: int) -> int:
    """Bits in which two hashes differ."""
    return (int(gallery.looks[one]) ^ int(gallery.looks[other])).bit_count()


def _rooted(duplicate: Duplicate, found: dict[int, Duplicate]) -> Duplicate:
    """An exact copy of a near duplicate names the picture that is kept."""
    original = duplicate.original
    while original in found:
        original = found[original].original
    return Duplicate(duplicate.index, original, duplicate.exact)
