"""The command table: a command's name to ``module:function``, imported only when that command is typed."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from deploy import __version__
from deploy.commands.lazy import LazyGroup
from deploy.errors import DeployError, ExitCode

COMMANDS: dict[str, tuple[str, str]] = {
    "train": ("training.commands.train:command", "Train a model and keep its checkpoint in runs/."),
    "data": ("training.commands.data:command", "Generate, inspect, cut, clean and convert data folders."),
    "export": ("export.commands.export:command", "Convert a checkpoint to Core ML, ExecuTorch and ONNX."),
    "lint": ("export.commands.lint:command", "Find what goes wrong on phones before quantizing or shipping."),
    "verify": (
        "export.commands.verify:command",
        "Measure each export's accuracy drop against the fp32 reference.",
    ),
    "detect": ("deploy.commands.detect:command", "Find small objects in pictures and videos, tile by tile."),
    "run": ("export.commands.run:command", "Run a Core ML package on this machine, by emulation."),
    "bench": ("device_bench.commands.bench:command", "Measure speed, memory and mask jitter on a device."),
    "report": ("device_bench.commands.report:command", "Show results as a table, Markdown or one HTML page."),
    "devices": (
        "device_bench.commands.devices:command",
        "List the devices that can be benched, and why others cannot.",
    ),
    "doctor": ("deploy.commands.doctor:command", "Check the installed tools against each other."),
    "demo": ("deploy.commands.demo:command", "Run the whole corridor on generated clips."),
}

EPILOG = """\b
Example:
  deploy train binary_masks --out runs/first
  deploy export runs/first --target all --precision fp16
  deploy verify artifacts/*
"""


@click.command(
    cls=LazyGroup, table=COMMANDS, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, "-V", "--version", prog_name="deploy")
def root() -> None:
    """Take a vision model from training to a phone, and prove it there."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point: run a command and turn every known problem into a message and an exit code."""
    argv = sys.argv[1:] if arguments is None else arguments
    sys.exit(run(argv))


def run(argv: list[str]) -> int:
    """Run one command line and return its exit code (tests call this)."""
    from deploy.threads import set_environment

    set_environment()
    try:
        result: Any = root.main(args=argv, prog_name="deploy", standalone_mode=False)
    except DeployError as error:
        return _show(error, argv)
    except click.ClickException as error:
        if "--json" in argv:
            return _show(DeployError("USAGE", error.format_message(), "See --help.", ExitCode.USAGE), argv)
        error.show()
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        return _show(
            DeployError(
                "INTERRUPTED",
                "Stopped by Ctrl-C; nothing half-written was kept.",
                "Type the same command to go on.",
                ExitCode.INTERRUPTED,
            ),
            argv,
        )
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.ERROR
    return result if isinstance(result, int) else ExitCode.PASS


def _show(error: DeployError, argv: list[str]) -> int:
    from deploy import console

    console.speak_to_machine("--json" in argv)
    console.fail(error)
    return int(error.exit_code)
