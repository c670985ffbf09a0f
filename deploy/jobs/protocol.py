"""The socket of a job engine, and the words of folder jobs: one function over many items, shard by shard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from deploy.store import canonical_json, sha256_bytes


@dataclass(frozen=True)
class Item:
    """One piece of work. ``key`` is what makes it the same item again: a changed file must change its key.

    ``payload`` is whatever the function takes; it must pickle.
    """

    key: str
    payload: Any


@dataclass(frozen=True)
class Work:
    """What is done to every item: ``maker`` (``module:function``) gets ``settings`` once in each process and
    returns the function that turns a payload into anything JSON can hold.

    ``settings`` must be JSON too: with the maker they are the identity of the work, so hashes of models and
    all options belong there. An item whose function raises ``DeployError`` gives an error in its line;
    anything else stops the job.
    """

    maker: str
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """Hex SHA-256 of maker and settings."""
        return sha256_bytes(canonical_json([self.maker, self.settings]).encode())


@dataclass(frozen=True)
class Shard:
    """Consecutive items that are carried out together and appear on disk together.

    ``name``: hex, of the work and the items' keys, so that a shard found on disk needs no second run.
    """

    name: str
    items: tuple[Item, ...]


Finished = Callable[[Shard, str], None]
"""Takes a shard and its lines (JSON, one an item); called in the process that started the engine."""


class Engine(Protocol):
    """Carries out shards, in any order, each until it is finished, whatever becomes of a worker.

    What a shard's lines are depends on the shard alone, so every engine gives the same bytes.
    """

    def __init__(self, workers: int) -> None: ...

    @staticmethod
    def why_not() -> str | None:
        """Why this machine has no such engine (a sentence), or ``None`` when it has. Cheap: no imports."""
        ...

    def run(self, work: Work, shards: Sequence[Shard], finished: Finished) -> None:
        """Carry out every shard.

        Raises:
            DeployError: ``WORKER-DIED`` for a shard that keeps killing its worker, after all others are
                finished; whatever the maker raises.
        """
        ...
