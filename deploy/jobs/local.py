"""The engine of this machine: one process a core, one thread each; a killed one is replaced."""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from deploy.errors import DeployError
from deploy.jobs.protocol import Finished, Shard, Work
from deploy.jobs.shard import ATTEMPTS, carry_out, died
from deploy.threads import set_environment

_GOODBYE_SECONDS = 5.0


class LocalEngine:
    """Processes that each take the next shard; see ``deploy.jobs.protocol.Engine``."""

    def __init__(self, workers: int) -> None:
        self._count = workers

    @staticmethod
    def why_not() -> str | None:
        """Always there."""
        return None

    def run(self, work: Work, shards: Sequence[Shard], finished: Finished) -> None:
        """Carry out every shard; see the protocol."""
        waiting = deque(shards)
        deaths: dict[str, int] = {}
        lost: list[Shard] = []
        workers = [_Worker(work) for _ in range(min(self._count, len(waiting)))]
        try:
            while waiting or any(worker.shard for worker in workers):
                for worker in workers:
                    if worker.shard is None and waiting:
                        worker.give(waiting.popleft())
                busy = {worker.pipe: worker for worker in workers if worker.shard}
                for pipe in wait(list(busy)):
                    worker = busy[pipe]  # type: ignore[index]
                    shard = worker.shard
                    assert shard is not None
                    lines = worker.take()
                    if lines is not None:
                        finished(shard, lines)
                        continue
                    workers[workers.index(worker)] = _Worker(work)
                    deaths[shard.name] = deaths.get(shard.name, 0) + 1
                    (lost if deaths[shard.name] == ATTEMPTS else waiting).append(shard)
        finally:
            for worker in workers:
                worker.end()
        if lost:
            raise died(lost)


class _Worker:
    """One process and the shard it is busy with."""

    def __init__(self, work: Work) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.shard: Shard | None = None
        self._process: BaseProcess = context.Process(target=_serve, args=(theirs, work), daemon=True)
        self._process.start()
        theirs.close()

    def give(self, shard: Shard) -> None:
        """Send a shard; a process that has just died is noticed when its answer is taken."""
        self.shard = shard
        with suppress(OSError):
            self.pipe.send(shard)

    def take(self) -> str | None:
        """The lines of its shard; ``None`` when the process died over it."""
        try:
            kind, answer = self.pipe.recv()
        except (EOFError, OSError):
            self.end()
            return None
        self.shard = None
        if kind == "error":
            raise DeployError.from_dict(answer)
        if kind == "failure":
            raise RuntimeError(f"a worker failed:\n{answer}")
        return str(answer)

    def end(self) -> None:
        """Close the pipe, which ends an idle process, and kill a busy one."""
        self.pipe.close()
        if self.shard is not None:
            self._process.kill()
        self._process.join(_GOODBYE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(pipe: Connection, work: Work) -> None:
    """The process itself: shards in, lines out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends this process
    set_environment(threads=1)  # before the maker loads any native library
    while True:
        try:
            shard = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(("lines", carry_out(work, shard)))
        except DeployError as error:
            pipe.send(("error", error.to_dict()))
        except Exception:
            pipe.send(("failure", traceback.format_exc()))
