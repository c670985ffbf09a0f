"""What to do about a taint: one line each, the same after a bench and in a report."""

from __future__ import annotations

from collections.abc import Iterable

ADVICE = {
    "CONTENDED": "something else wanted the cores. Close it, lower --threads, or compare two files with "
    "--interleave, which such neighbours hardly move.",
    "NOT-STEADY": "times were still drifting when the warm-up gave up. Let the machine cool and rest, then "
    "bench longer, for example with --duration 60s.",
    "ON-BATTERY": "a computer on battery clocks down. Plug it in and bench again.",
    "LOW-BATTERY": "a low battery clocks a computer down further. Charge it and bench again.",
    "POWERSAVE": "the cores are governed for thrift. Type: sudo cpupower frequency-set -g performance",
    "CUT": "samples.jsonl ends early, so the figures are of a part of the run. Bench again.",
    "ALTERED": "samples.jsonl is not the file that the run wrote. Bench again.",
}


def advice(runs: Iterable[tuple[str, Iterable[str]]]) -> list[str]:
    """A line per taint that something can be done about; ``runs`` are pairs of name and taints."""
    named: dict[str, list[str]] = {}
    for name, taints in runs:
        for taint in taints:
            named.setdefault(taint, []).append(name)
    return [f"{taint} ({', '.join(named[taint])}): {ADVICE[taint]}" for taint in ADVICE if taint in named]
