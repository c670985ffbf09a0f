"""The trainer of ultralytics in a process of its own: ``python -m ...ultralytics_yolo.worker JOB.json``.

It proves the parameters, trains, and says in ``result.json`` what came of it. It cannot reach a network.
"""

from __future__ import annotations

import difflib
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from deploy.store import read_json, write_json
from training.models.ultralytics_yolo.offline import settle
from training.models.ultralytics_yolo.proof import PROVABLE, prove

RESULT = "result.json"

_OURS = {
    "epochs": "--epochs",
    "patience": "--patience",
    "imgsz": "--size",
    "batch": "--batch",
    "seed": "--seed",
    "data": "--data",
    "model": "--set detector=ultralytics:FILE",
}


def main(job_file: Path) -> int:
    """Do one job; 0 when its result was written, good or bad."""
    job = read_json(job_file)
    folder = job_file.parent
    settle(folder / "settings")
    _stay_offline()
    os.chdir(folder)
    logging.getLogger("ultralytics").setLevel(logging.ERROR)
    try:
        result = _run(job, folder)
    except DeployError as error:
        result = dict[str, Any](error.to_dict())
    write_json(folder / RESULT, result)
    return 0


def _run(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Prove and train, or go on with what a kill interrupted."""
    from ultralytics.models.yolo.detect import DetectionTrainer
    from ultralytics.utils import DEFAULT_CFG_DICT

    _demand_known(job["asked"], DEFAULT_CFG_DICT)
    fixed = {
        "device": "cpu" if not job["cuda"] else 0,
        "plots": False,
        "amp": False,
        "verbose": False,
        "exist_ok": True,
        "workers": 0,
        "deterministic": True,
        "pretrained": False,
    }
    args = {**job["args"], **job["asked"], **fixed, "project": str(folder)}

    def open_trainer(changed: dict[str, Any]) -> Any:
        try:
            trainer = DetectionTrainer(overrides={**changed, "name": "proof"})
        except (TypeError, ValueError, SyntaxError) as error:
            raise DeployError(
                "YOLO-PARAMETER-INVALID",
                f"ultralytics refuses these parameters: {' '.join(str(error).split())[:300]}",
                "Give the parameter a value that its documentation allows.",
            ) from error
        trainer._setup_train()  # type: ignore[no-untyped-call]
        return trainer

    last = folder / "train" / "weights" / "last.pt"
    proof = folder / "proved.json"
    if proof.is_file():
        proved = read_json(proof)
    else:
        named = {name: args[name] for name in ("imgsz", "batch", "seed")}
        proved = prove(open_trainer, args, {**named, **job["asked"]})
        write_json(proof, proved)
    resume = {"resume": str(last)} if last.is_file() else {}
    trainer: Any = DetectionTrainer(overrides={**args, **resume, "name": "train"})
    trainer.train()
    losses: Any = trainer.tloss if trainer.tloss is not None else {}
    total = sum(map(float, losses.values() if isinstance(losses, dict) else losses))
    return {
        "proved": proved,
        "best": str(trainer.best),
        "epochs": int(trainer.epoch) + 1,
        "steps": (int(trainer.epoch) + 1) * len(trainer.train_loader),
        "train_loss": total,
    }


def _demand_known(asked: dict[str, Any], known: dict[str, Any]) -> None:
    """Refuse what this version does not have, what we set ourselves, and what nobody knows how to prove."""
    for name in asked:
        if name not in known:
            near = difflib.get_close_matches(name, PROVABLE, 1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise DeployError(
                "YOLO-PARAMETER-UNKNOWN",
                f"The installed ultralytics has no parameter called {name!r}.",
                f"{hint}Choose among: {', '.join(sorted(PROVABLE))}.",
            )
        if name in _OURS:
            raise DeployError(
                "YOLO-PARAMETER-OURS",
                f"{name} is set by deploy for every detector.",
                f"Use {_OURS[name]} instead.",
            )
        if name not in PROVABLE:
            raise DeployError(
                "YOLO-PARAMETER-UNPROVED",
                f"Nothing here can show that {name} has an effect, so it is not passed on.",
                f"Choose among: {', '.join(sorted(PROVABLE))}.",
            )


def _stay_offline() -> None:
    """Refuse every connection to a host: a trainer that downloads is not reproducible."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("no network in training")

    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple):
            refuse()
        connect(self, address)

    socket.getaddrinfo = refuse
    socket.create_connection = refuse
    socket.socket.connect = local_only  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
