"""One shard carried out, in whatever process: its items in order, a JSON line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from deploy.errors import DeployError
from deploy.jobs.protocol import Item, Shard, Work
from deploy.registry import load_object
from deploy.store import canonical_json, sha256_bytes

ATTEMPTS = 3
"""How many workers a shard may kill before it is given up."""

_opened: dict[str, Callable[[Any], Any]] = {}


def split(work: Work, items: Sequence[Item], size: int) -> list[Shard]:
    """Items in shards of ``size``, in their order."""
    parts = [tuple(items[start : start + size]) for start in range(0, len(items), size)]
    return [Shard(_name(work, part), part) for part in parts]


def carry_out(work: Work, shard: Shard) -> str:
    """The shard's lines: ``{"key": …, "result": …}``, or ``"error"`` where the function raised one."""
    function = _function(work)
    return "".join(f"{canonical_json(_line(function, item))}\n" for item in shard.items)


def died(lost: Sequence[Shard]) -> DeployError:
    """The error for shards that killed every worker they were given to."""
    first = lost[0].items[0].key
    return DeployError(
        "WORKER-DIED",
        f"{len(lost)} shards killed their worker {ATTEMPTS} times each; one begins with {first}.",
        "All other results are kept. Free memory or remove what cannot be read, and type the same again.",
    )


def _function(work: Work) -> Callable[[Any], Any]:
    """The work's function, made once a process: it may hold a loaded model."""
    identity = work.identity
    if identity not in _opened:
        maker: Callable[[dict[str, Any]], Callable[[Any], Any]] = load_object(work.maker)
        _opened[identity] = maker(work.settings)
    return _opened[identity]


def _line(function: Callable[[Any], Any], item: Item) -> dict[str, Any]:
    try:
        return {"key": item.key, "result": function(item.payload)}
    except DeployError as error:
        return {"key": item.key, "error": error.to_dict()}


def _name(work: Work, items: Sequence[Item]) -> str:
    return sha256_bytes(canonical_json([work.identity, [item.key for item in items]]).encode())[:32]
