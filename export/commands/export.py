"""``deploy export``: convert a model to the phone formats, proving each file before it is saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deploy.commands.options import json_option, seed_option, threads_option
from deploy.commands.tiling_options import tiling_options

if TYPE_CHECKING:
    from export.build import Built
    from export.request import ExportRequest

EPILOG = """\b
Examples:
  deploy export --target coreml
  deploy export runs/first --target all --precision fp16 --out artifacts/
  deploy export yolov8n-seg.pt --target onnx
  deploy export yolov8n-seg.pt --target onnx --tile 640x640 --overlap 0.2 --merge nms:iou:0.5
  deploy export yolov8n-seg.pt --target all --precision int8 --calibration my_pictures
  deploy export runs/first --target onnx --precision auto --budget miou=0.005
  deploy export runs/prompts --target all --phrase "red disc"
  deploy export timm:tf_efficientnet_lite0 --weights w.safetensors --target executorch
  deploy export my_pkg.models:build --weights w.pth --input image=1x3x256x256 --target coreml

MODEL is a run folder, an ultralytics checkpoint (.pt), timm:NAME, or package.module:function that
returns a torch.nn.Module. A run that answers prompts becomes a bundle of three parts; one of them alone
is RUN#image_encoder, RUN#text_encoder or RUN#mask_decoder. Without MODEL it is the newest run in runs/,
and if there is none yet, the demo's, trained on the spot.
"""


@click.command("export", epilog=EPILOG)
@click.argument("model", required=False)
@click.option(
    "--target", "-t", "targets", multiple=True, required=True, help="onnx, coreml, executorch or all."
)
@click.option(
    "--precision",
    "-p",
    "precisions",
    multiple=True,
    default=("fp16",),
    show_default=True,
    help="fp32, fp16, w8, w8a8, w4 ... or int8, which is resolved per target and printed.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("artifacts"),
    show_default=True,
    help="Where artifacts go.",
)
@click.option("--name", help="First name of the artifacts [default: from the model].")
@click.option("--weights", type=click.Path(path_type=Path), help="Weights file (.safetensors, .pth, .pt).")
@click.option("--input", "inputs", multiple=True, help="Input shape as NAME=1x3x256x256; repeat for several.")
@click.option("--image-size", type=click.IntRange(min=8), help="Picture size where the model allows several.")
@click.option("--preprocess", type=click.Path(path_type=Path), help="JSON file with a preprocess block.")
@click.option("--decode", type=click.Path(path_type=Path), help="JSON file with a decode block.")
@click.option("--tiling", type=click.Path(path_type=Path), help="JSON file with a tiling block.")
@tiling_options
@click.option(
    "--nms",
    type=click.Choice(["app", "graph"]),
    default="app",
    show_default=True,
    help="Who suppresses a detector's boxes: the app, or the ONNX file itself.",
)
@click.option("--samples", type=click.Path(path_type=Path), help="Pictures to check the files on.")
@click.option(
    "--sample-count", type=click.IntRange(1, 64), default=4, show_default=True, help="How many of them."
)
@click.option("--coreml-input", type=click.Choice(["tensor", "image"]), default="tensor", show_default=True)
@click.option(
    "--coreml-target", default="iOS17", show_default=True, help="Oldest system the package runs on."
)
@click.option(
    "--executorch-backend", type=click.Choice(["xnnpack", "coreml"]), default="xnnpack", show_default=True
)
@click.option(
    "--onnx-pairing",
    type=click.Choice(["x86", "arm"]),
    default="x86",
    show_default=True,
    help="Types of w8a8: U8S8 is fast on x86, S8S8 on ARM.",
)
@click.option(
    "--calibration",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Pictures that w8a8 takes its ranges from [default: the run's training split]; repeat for several.",
)
@click.option("--calibration-count", type=click.IntRange(4, 4096), default=64, show_default=True)
@click.option(
    "--calibrator",
    default="auto",
    show_default=True,
    help="minmax, percentile, entropy or mse; auto keeps the best on held-out pictures.",
)
@click.option(
    "--budget",
    default="0.005",
    show_default=True,
    help="Largest drop of --precision auto, as a number or FIGURE=NUMBER, for example map=0.005.",
)
@click.option(
    "--tune-data",
    type=click.Path(path_type=Path),
    help="Labelled pictures that auto measures its budget on [default: the calibration's hold-out].",
)
@click.option(
    "--finetune",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Steps of training for 8 bits, kept only where they pay.",
)
@click.option(
    "--phrase",
    "phrases",
    multiple=True,
    help="Encode this phrase too, into a promptable run's bundle; repeat.",
)
@click.option("--no-cache", is_flag=True, help="Convert again even if nothing changed.")
@seed_option
@threads_option
@json_option
def command(**options: Any) -> int:
    """Convert MODEL to Core ML, ExecuTorch and ONNX.

    A file is saved only when its own runtime agrees with the fp32 torch model on real samples and when its
    contents are what its label says.
    """
    from deploy import console
    from deploy.errors import ExitCode
    from export.build import build
    from export.bundles.flow import is_promptable

    request = _request(options)
    if is_promptable(request.spec):
        from export.commands.export_bundles import export_bundles

        return export_bundles(request)
    results = build(request)
    console.emit({"results": [as_json(result) for result in results]})
    _show(results)
    built = [result for result in results if result.folder is not None]
    _next(built)
    return ExitCode.PASS if len(built) == len(results) else ExitCode.FAIL


def _request(options: dict[str, Any]) -> ExportRequest:
    from export.request import ExportRequest, parse_budget, parse_input
    from export.tiling import typed_tiling

    return ExportRequest(
        spec=options["model"] or _newest_run(),
        targets=_targets(options["targets"]),
        precisions=tuple(dict.fromkeys(p for text in options["precisions"] for p in text.split(","))),
        out=options["out"],
        name=options["name"],
        weights=options["weights"],
        inputs=tuple(parse_input(text) for text in options["inputs"]),
        image_size=options["image_size"],
        preprocess=options["preprocess"],
        decode=options["decode"],
        tiling=typed_tiling(options),
        nms=options["nms"],
        samples=options["samples"],
        sample_count=options["sample_count"],
        coreml_input=options["coreml_input"],
        coreml_target=options["coreml_target"],
        executorch_backend=options["executorch_backend"],
        onnx_pairing=options["onnx_pairing"],
        calibration=options["calibration"],
        calibration_count=options["calibration_count"],
        calibrator=options["calibrator"],
        budget=parse_budget(options["budget"]),
        tune_data=options["tune_data"],
        finetune=options["finetune"],
        phrases=options["phrases"],
        use_cache=not options["no_cache"],
        seed=options["seed"],
        threads=options["threads"] or 1,  # the converters already keep the cores busy side by side
    )


def _targets(given: tuple[str, ...]) -> tuple[str, ...]:
    """Names in the order given, commas allowed, ``all`` for every line of the door plate."""
    from export.targets import TARGETS

    names = [name for text in given for name in text.split(",")]
    named = [TARGETS.check(name) for name in names if name != "all"]
    return tuple(dict.fromkeys(TARGETS.names() if "all" in names else named))


def _newest_run() -> str:
    """The newest run, or the demo's, trained on the spot."""
    from deploy import console
    from training.checkpoints import newest_run

    newest = newest_run()
    if newest is not None:
        console.note(f"No model named: taking the newest run, {newest}.")
        return str(newest)
    from training.run import train_demo

    console.note(
        "No model named and no run yet: training the demo model on generated clips (about a minute)."
    )
    return str(train_demo(Path("runs/demo")))


def as_json(result: Built) -> dict[str, Any]:
    """A result as ``--json`` prints it."""
    return {
        "target": result.target,
        "precision": result.precision,
        "cached": result.cached,
        "folder": str(result.folder) if result.folder else None,
        "artifact": result.artifact.to_json() if result.artifact else None,
        "row": result.row.to_json() if result.row else None,
    }


def _show(results: list[Built]) -> None:
    from deploy import console

    columns = ["target", "precision", "result", "size", "weights", "parity", "seconds", "folder"]
    places = {result.folder.parent for result in results if result.folder is not None}
    title = f"Export to {places.pop()}" if places else "Export"
    console.table(title, columns, [describe(result) for result in results])
    for result in results:
        _show_details(result)


def describe(result: Built) -> list[str]:
    """Cells of a result: target, precision, result, size, weights, parity, seconds, folder."""
    artifact = result.artifact
    target = "reference" if result.target == "torch" else result.target
    if artifact is None or result.folder is None:
        assert result.row is not None
        return [target, result.precision, result.row.status, "", "", "", f"{result.row.seconds:.1f}", ""]
    total = sum(artifact.proof.weight_bytes.values()) or 1
    shares = {dtype: amount / total for dtype, amount in artifact.proof.weight_bytes.items()}
    weights = ", ".join(f"{dtype} {share:.0%}" for dtype, share in shares.items() if share >= 0.005)
    decibels = [hop.sqnr_db for hop in artifact.parity.hops if hop.sqnr_db is not None]
    measured = artifact.parity.status == "PASS" and decibels
    return [
        target,
        result.precision,
        "cached" if result.cached else "built",
        f"{artifact.model_bytes / 1e6:.2f} MB",
        weights,
        f"PASS {decibels[-1]:.0f} dB" if measured else artifact.parity.status,
        "" if result.cached else f"{artifact.export_ms / 1000:.1f}",
        result.folder.name,
    ]


def _show_details(result: Built) -> None:
    """Reasons under the table: unknown parity, wide ops, refusals."""
    from deploy import console

    label = f"{result.target} {result.precision}"
    if result.artifact is None:
        assert result.row is not None
        console.say(f"{label}: {result.row.error_id}: {result.row.reason}")
        console.say(f"  → {result.row.remedy}")
        return
    if result.artifact.parity.status == "UNKNOWN":
        console.say(f"{label}: parity UNKNOWN: {result.artifact.parity.reason}.")
    wide = result.artifact.proof.wide_ops
    if wide:
        console.say(f"{label}: {len(wide)} ops kept in fp32:")
        for op in wide[:5]:
            console.say(f"  {op.name}: {op.reason}")
        if len(wide) > 5:
            console.say(f"  and {len(wide) - 5} more in artifact.json")


def _next(built: list[Built]) -> None:
    from deploy import console

    exports = [result for result in built if result.artifact and result.artifact.role == "export"]
    if not exports:
        return
    runnable = next((r for r in exports if r.target != "coreml"), None)
    folders = " ".join(str(result.folder) for result in exports)
    steps = [f"deploy verify {folders}"]
    if runnable is not None:
        steps.append(f"deploy bench {runnable.folder} --device desktop --duration 20s")
    console.next_steps(steps)
