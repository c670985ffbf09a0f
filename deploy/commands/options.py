"""Options that mean the same in every command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def _machine(ctx: click.Context, param: click.Parameter, value: bool) -> bool:
    from deploy import console

    console.speak_to_machine(value)
    return value


json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_machine,
    help="Print one JSON document on stdout instead of text.",
)


def threads_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--threads N``; the default is every core this process may use."""
    return click.option(
        "--threads",
        type=click.IntRange(min=1),
        default=None,
        help="Threads to compute with [default: all cores].",
    )(function)


def engine_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--engine`` and ``--workers`` of a folder job."""
    workers = click.option("--workers", type=click.IntRange(1), help="Processes [default: all cores].")
    engine = click.option("--engine", default="local", show_default=True, help="local, or ray for a cluster.")
    return engine(workers(function))


def seed_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--seed N``; 0 unless given."""
    return click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything random.")(
        function
    )
