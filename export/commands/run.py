"""``deploy run``: a Core ML package run by emulation, on files, pictures or an artifact's golden samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deploy.commands.options import json_option, seed_option, threads_option

if TYPE_CHECKING:
    from export.mil.session import Answer

EPILOG = """\b
Examples:
  deploy run artifacts/yolov8n-coreml-fp16
  deploy run model.mlpackage --input x.npy --out results/first --profile
  deploy run model.mlpackage --image image=cat.jpg --mode exact32 --compare expected.npy
  deploy run model.mlpackage --input tokens=t.npy --input mask=m.npy --noise-ulp 2 --json

The answer is EMULATED: computed op by op with torch, never by Core ML itself. An artifact's folder is run on
its golden samples and judged by its own tolerance (exit code 0 PASS, 3 FAIL).
"""


@click.command("run", epilog=EPILOG)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--input", "inputs", multiple=True, help="FILE.npy or NAME=FILE.npy; may be repeated.")
@click.option("--image", "images", multiple=True, help="FILE or NAME=FILE for picture inputs.")
@click.option(
    "--mode",
    type=click.Choice(["storage16", "exact32", "fused16"]),
    default="storage16",
    show_default=True,
    help="Where values are rounded to fp16.",
)
@click.option(
    "--noise-ulp",
    type=float,
    default=0.0,
    show_default=True,
    help="Move every fp16 result by up to so many fp16 steps at random.",
)
@click.option("--function", help="Function of a multifunction package [default: its own].")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the outputs as .npy files.")
@click.option(
    "--compare",
    type=click.Path(path_type=Path),
    help="Expected outputs: a .npy file (one output), or an artifact's folder (its golden samples).",
)
@click.option("--profile", is_flag=True, help="Also time by op, and count values that fp16 cannot hold.")
@seed_option
@threads_option
@json_option
def command(**options: Any) -> int:
    """Run MODEL, an .mlpackage or the folder of a Core ML artifact, by emulation on this machine."""
    from deploy import console
    from deploy.threads import usable_cores
    from export.mil.session import RunRequest, run

    keys = ("model", "inputs", "images", "mode", "noise_ulp", "function", "out", "compare", "profile", "seed")
    request = RunRequest(**{key: options[key] for key in keys}, threads=options["threads"] or usable_cores())
    answer = run(request)
    _show(answer)
    console.emit(answer.to_json())
    return answer.exit_code


def _show(answer: Answer) -> None:
    from deploy import console

    noise = f", noise {answer.noise_ulp:g} ulp" if answer.noise_ulp else ""
    console.say(f"{answer.label}: {answer.model}, {answer.ops} ops, mode {answer.mode}{noise}")
    console.table(
        "outputs" if answer.samples == 1 else f"outputs of the last of {answer.samples} samples",
        ["output", "dtype", "shape", "least", "mean", "most", "file"],
        [
            [
                each.name,
                each.dtype,
                "x".join(map(str, each.shape)) or each.note,
                _number(each.least),
                _number(each.mean),
                _number(each.most),
                each.file or "",
            ]
            for each in answer.outputs
        ],
    )
    if answer.compared:
        console.table(
            "against what was expected",
            ["sample", "output", "SQNR", "largest difference"],
            [
                [each.sample, each.output, f"{each.sqnr_db:.1f} dB", _number(each.max_abs)]
                for each in answer.compared
            ],
        )
    if answer.verdict is not None:
        console.say(f"{answer.verdict}: the golden samples ask for {answer.tolerance_db:.0f} dB.")
    if answer.profile:
        total = sum(each.seconds for each in answer.profile)
        console.table(
            f"time by op ({total * 1e3:.1f} ms in all)",
            ["op", "count", "ms", "share"],
            [
                [each.op, str(each.count), f"{each.seconds * 1e3:.2f}", f"{each.seconds / total:.0%}"]
                for each in answer.profile
            ],
        )
    for each in answer.limits:
        console.say(
            f"fp16: {each.name} has {each.overflows} overflows and {each.denormals + each.vanished} "
            f"denormals or vanished values among {each.elements}"
        )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
