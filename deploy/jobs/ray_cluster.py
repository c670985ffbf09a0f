"""The engine of a Ray cluster: a laptop's own cores, or the machines that ``RAY_ADDRESS`` leads to."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec

from deploy.errors import DeployError
from deploy.jobs.protocol import Finished, Shard, Work
from deploy.jobs.shard import ATTEMPTS, carry_out, died
from deploy.threads import worker_environment

_AHEAD = 4
"""Shards given out beyond those that can run at once: enough to keep a cluster busy, few enough to hold."""


class RayEngine:
    """Shards as Ray tasks of one core each; see ``deploy.jobs.protocol.Engine``.

    Ray replaces a worker that died and runs its shard again. Pictures and models must lie where every machine
    finds them under the same path; results come home to the process that asked.
    """

    def __init__(self, workers: int) -> None:
        self._count = workers

    @staticmethod
    def why_not() -> str | None:
        """``None`` when Ray is installed."""
        if find_spec("ray") is None:
            return "ray is not installed (pip install 'pocketproof[cluster]')"
        return None

    def run(self, work: Work, shards: Sequence[Shard], finished: Finished) -> None:
        """Carry out every shard; see the protocol."""
        import ray

        mine = not ray.is_initialized()
        if mine:
            cores = None if "RAY_ADDRESS" in os.environ else self._count
            ray.init(include_dashboard=False, log_to_driver=False, num_cpus=cores)
        try:
            with redirect_stdout(sys.stderr):  # Ray reports dead workers on stdout, which is for JSON
                self._feed(work, deque(shards), finished)
        finally:
            if mine:
                ray.shutdown()

    def _feed(self, work: Work, waiting: deque[Shard], finished: Finished) -> None:
        import ray

        threads = {key: value for key, value in worker_environment(1).items() if key.endswith("_THREADS")}
        task = ray.remote(num_cpus=1, max_retries=ATTEMPTS - 1, runtime_env={"env_vars": threads})(carry_out)
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        room = int(resources.get("CPU", self._count)) + _AHEAD
        running: dict[object, Shard] = {}
        lost: list[Shard] = []
        while waiting or running:
            while waiting and len(running) < room:
                shard = waiting.popleft()
                running[task.remote(work, shard)] = shard
            for answer in ray.wait(list(running))[0]:
                shard = running.pop(answer)
                try:
                    finished(shard, ray.get(answer))
                except ray.exceptions.RayTaskError as error:
                    raise _known(error) from error
                except ray.exceptions.RayError:
                    lost.append(shard)
        if lost:
            raise died(lost)


def _known(error: BaseException) -> BaseException:
    """The error that the shard raised, where it is one that a user can mend."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, DeployError) else error
