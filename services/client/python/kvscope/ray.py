"""Workers on a Ray cluster: Ray chooses their nodes, and starts them again where others are left.

    with kvscope.ray.launch(
        workers=8, orchestrator="head:7400", metrics="head:7402", models_dir="/models",
        resources={"GPU": 1},
    ) as workers:
        workers.wait()
        ...

Each worker is a `kvscope-inference` process held by an actor. A process that ends is started anew
by its actor, an actor whose node is lost by Ray on another one. What a lost worker had leased goes
back to the orchestrator's queue. Every node needs this package, the program and the models.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import ray

from kvscope.errors import InvalidArgumentError, UnavailableError

_FIRST_PAUSE_S = 0.5  # before a process that ended is started anew; doubles
_LONGEST_PAUSE_S = 30.0
_USAGE = 2  # exit code of a program that was started wrongly
_SOUND_AFTER_S = 60.0  # a process that lived so long starts the pauses over
_KEPT_LINES = 20  # of what a process said last

# The process dies with its actor, whatever ends that: 1 is PR_SET_PDEATHSIG. An actor that was gone
# before the call is seen by the parent's id.
_TIED = (
    "import ctypes,os,signal,sys;"
    "ctypes.CDLL(None).prctl(1,signal.SIGKILL);"
    "os.getppid()==int(sys.argv[1]) or sys.exit(1);"
    "os.execvp(sys.argv[2],sys.argv[2:])"
)


@dataclasses.dataclass(frozen=True)
class WorkerStatus:
    """One worker: where it runs, and how often its process was started there."""

    # "placing" (Ray has not started its actor), "starting", "running", "restarting" (the process
    # ended and another one follows) or "stopped".
    state: str
    node: str = ""  # Ray's id
    pid: int = 0
    starts: int = 0
    last_exit: int | None = None  # of the process before; minus the signal's number
    last_words: str = ""  # what it said at its end


class _Keeper:
    """The actor: keeps one process running until it is told to stop."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._serves = pathlib.Path(tempfile.mkdtemp(prefix="kvscope-ray-")) / "port"
        self._command = [*command, "--port-file", str(self._serves)]  # written once it serves
        self._environment = {**os.environ, **environment}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._starts = 0
        self._began = 0.0
        self._last_exit: int | None = None
        self._words: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def status(self) -> WorkerStatus:
        with self._lock:
            alive = self._process is not None and self._process.poll() is None
            return WorkerStatus(
                state=self._state(alive),
                node=ray.get_runtime_context().get_node_id(),
                pid=self._process.pid if alive and self._process else 0,
                starts=self._starts,
                last_exit=self._last_exit,
                last_words="\n".join(self._words),
            )

    def _state(self, alive: bool) -> str:
        if alive:
            return "running" if self._serves.exists() else "starting"
        if self._stopping.is_set():
            return "stopped"
        return "restarting" if self._starts else "starting"

    def stop(self, drain_timeout: float) -> None:
        """SIGTERM, by which a worker gives back what it has leased; SIGKILL after the time."""
        self._stopping.set()
        with self._lock:
            process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(drain_timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(self._serves.parent, ignore_errors=True)

    def _keep(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            self._run_once()
            pause = _FIRST_PAUSE_S if time.monotonic() - self._began > _SOUND_AFTER_S else pause
            self._stopping.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _run_once(self) -> None:
        tied = [sys.executable, "-c", _TIED, str(os.getpid()), *self._command]
        with self._lock:
            if self._stopping.is_set():
                return
            self._starts += 1
            self._words.clear()
            self._serves.unlink(missing_ok=True)
            self._began = time.monotonic()
            self._process = subprocess.Popen(
                tied, env=self._environment, stderr=subprocess.PIPE, text=True, errors="replace"
            )
        assert self._process.stderr is not None
        for line in self._process.stderr:  # on to the actor's log, which Ray keeps
            self._words.append(line.rstrip())
            sys.stderr.write(line)
        code = self._process.wait()
        with self._lock:
            self._last_exit = code


class Workers:
    """What `launch` placed; `stop` ends it, as does the `with` block."""

    def __init__(self, keepers: Sequence[Any], drain_timeout: float) -> None:
        self._keepers = list(keepers)
        self._drain_timeout = drain_timeout

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *unused: object) -> None:
        self.stop()

    def status(self, timeout: float = 5.0) -> list[WorkerStatus]:
        """Of every worker; "placing" where no actor answers in time."""
        asked = [keeper.status.remote() for keeper in self._keepers]
        answered, _ = ray.wait(asked, num_returns=len(asked), timeout=timeout)
        return [_answer(ask) if ask in answered else WorkerStatus("placing") for ask in asked]

    def wait(self, timeout: float = 300.0) -> list[WorkerStatus]:
        """Until every worker's process runs. Raises UnavailableError that says what is missing; at
        once where the program refuses its flags."""
        end = time.monotonic() + timeout
        while True:
            status = self.status(max(end - time.monotonic(), 0.1))
            waiting = [worker for worker in status if worker.state != "running"]
            if not waiting:
                return status
            misused = any(worker.last_exit == _USAGE for worker in waiting)
            if misused or time.monotonic() >= end:
                raise UnavailableError(_missing(waiting, len(status)))
            time.sleep(0.2)

    def stop(self) -> None:
        """Ends all workers, each within the drain timeout, and gives their resources back."""
        stopping = [keeper.stop.remote(self._drain_timeout) for keeper in self._keepers]
        ray.wait(stopping, num_returns=len(stopping), timeout=self._drain_timeout + 5)
        for keeper in self._keepers:
            ray.kill(keeper)
        self._keepers = []


def _answer(ask: Any) -> WorkerStatus:
    try:
        status: WorkerStatus = ray.get(ask)
        return status
    except ray.exceptions.RayError:  # the actor is between two nodes
        return WorkerStatus("placing")


def _missing(waiting: Sequence[WorkerStatus], total: int) -> str:
    text = f"{len(waiting)} of {total} workers do not run"
    failed = [worker for worker in waiting if worker.last_exit is not None]
    if failed:
        said = " ".join(failed[0].last_words.split())[-300:] or "nothing"
        return f"{text}: the program ended with {failed[0].last_exit} and said: {said}"
    return f"{text}: has the Ray cluster nodes with room for the resources that they ask for?"


def launch(
    workers: int,
    *,
    orchestrator: str,
    metrics: str,
    models_dir: str | os.PathLike[str],
    resources: Mapping[str, float] | None = None,
    address: str | None = None,
    command: str | Sequence[str] = "kvscope-inference",
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    drain_timeout: float = 30.0,
) -> Workers:
    """Places `workers` processes on a Ray cluster and keeps them there; does not wait for them.

    orchestrator, metrics: HOST:PORT, as each node reaches them. models_dir: a path on every node.
    resources: what a worker takes of its node, {"CPU": 1} where nothing is said; "GPU" and
    resources of the cluster's own may be in it. address: of the Ray cluster, as `ray.init` takes
    it; None: the one in which this runs, or which is running here. command: the program on every
    node, or several words. arguments: more flags, such as ["--tls-ca", "/etc/kvscope/ca.pem"].
    They are spread over the nodes; those for which there is no room wait for it.
    """
    if workers < 1:
        raise InvalidArgumentError(f"workers: is {workers}, must be at least 1")
    if not ray.is_initialized():
        ray.init(address=address or "auto", log_to_driver=False, logging_level="WARNING")
    words = shlex.split(command) if isinstance(command, str) else list(command)
    words += ["--orchestrator", orchestrator, "--metrics", metrics]
    words += ["--models-dir", os.fspath(models_dir), "--drain-timeout", f"{drain_timeout:g}"]
    words += arguments
    custom = dict(resources if resources is not None else {"CPU": 1})
    actor: Any = ray.remote(_Keeper)
    keeper = actor.options(
        num_cpus=custom.pop("CPU", 0),
        num_gpus=custom.pop("GPU", 0),
        memory=custom.pop("memory", None),
        resources=custom,
        max_restarts=-1,
        max_task_retries=-1,
        max_concurrency=2,  # `status` is answered while `stop` waits
        scheduling_strategy="SPREAD",
    )
    keepers = [keeper.remote(words, dict(environment or {})) for _ in range(workers)]
    return Workers(keepers, drain_timeout)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="kvscope-ray",
        description="Keeps kvscope workers running on a Ray cluster until Ctrl-C or SIGTERM.",
        epilog="Example: kvscope-ray --workers 8 --gpus 1 --orchestrator head:7400 "
        "--metrics head:7402 --models-dir /models -- --tls-ca /etc/kvscope/ca.pem",
    )
    parser.add_argument("--workers", type=int, required=True, help="how many")
    parser.add_argument("--orchestrator", required=True, metavar="HOST:PORT")
    parser.add_argument("--metrics", required=True, metavar="HOST:PORT")
    parser.add_argument("--models-dir", required=True, help="on every node")
    parser.add_argument("--address", help="of the Ray cluster; default: the one running here")
    parser.add_argument("--cpus", type=float, default=1, help="of each worker; default: 1")
    parser.add_argument("--gpus", type=float, default=0, help="of each worker; default: 0")
    parser.add_argument("--command", default="kvscope-inference", help="the program on every node")
    parser.add_argument("--drain-timeout", type=float, default=30, metavar="S")
    parser.add_argument("arguments", nargs="*", help="more flags of the program, after --")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    placed = launch(
        options.workers,
        orchestrator=options.orchestrator,
        metrics=options.metrics,
        models_dir=options.models_dir,
        resources={"CPU": options.cpus, "GPU": options.gpus},
        address=options.address,
        command=options.command,
        arguments=options.arguments,
        drain_timeout=options.drain_timeout,
    )
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # after Ray has set handlers of its own
        signal.signal(number, lambda *unused: over.set())
    told = ""
    with placed:
        while not over.wait(2):
            states = collections.Counter(worker.state for worker in placed.status())
            text = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
            if text != told:
                print(text, file=sys.stderr, flush=True)
            told = text
        print("stopping", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
