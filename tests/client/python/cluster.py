"""A cluster of the real binaries on loopback, which a test may hurt."""

import os
import pathlib
import signal
import subprocess
import tempfile
import time

KVSCOPE = pathlib.Path(os.environ["KVSCOPE"]).resolve()
SOURCE = pathlib.Path(os.environ["KVSCOPE_SOURCE"]).resolve()
MODELS = SOURCE / "models"
START_S = 30


class Cluster:
    """Orchestrator, metrics service and workers. Used as a context: what it started, it ends."""

    def __init__(self, workers: int = 1, flags: tuple = ()) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="kvscope-client-")
        self.dir = pathlib.Path(self._folder.name)
        self._workers = workers
        self._flags = flags
        self._processes = []
        self._orchestrator = None

    def __enter__(self) -> "Cluster":
        port_file = self.dir / "metrics.port"
        self.start("kvscope-metrics", "--listen", "127.0.0.1:0", "--port-file", port_file,
                   "--store", self.dir / "hidden-states")  # fmt: skip
        self.metrics = f"127.0.0.1:{read_port(port_file)}"
        self.port = 0
        self.start_orchestrator()
        for _ in range(self._workers):
            self.add_worker()
        return self

    def __exit__(self, *unused: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        self._folder.cleanup()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, program: str, *arguments: object) -> subprocess.Popen:
        words = [KVSCOPE.parent / program, *map(str, arguments), "--log-level", "warning"]
        log = open(self.dir / f"{program}.log", "a")
        process = subprocess.Popen(words, stdout=log, stderr=log)
        log.close()
        self._processes.append(process)
        return process

    def start_orchestrator(self) -> None:
        """On the same port and store as before, if there was one."""
        port_file = self.dir / "orchestrator.port"
        port_file.unlink(missing_ok=True)
        self._orchestrator = self.start(
            "kvscope-orchestrator", "--listen", f"127.0.0.1:{self.port}", "--port-file", port_file,
            "--store", self.dir / "store.db", "--models-dir", MODELS, "--metrics", self.metrics,
            "--heartbeat", "0.2", *self._flags,
        )  # fmt: skip
        self.port = read_port(port_file)

    def kill_orchestrator(self) -> None:
        self._orchestrator.send_signal(signal.SIGKILL)
        self._orchestrator.wait()

    def add_worker(self) -> subprocess.Popen:
        return self.start("kvscope-inference", "--orchestrator", self.address, "--metrics",
                          self.metrics, "--models-dir", MODELS, "--threads", "1", "--device", "cpu",
                          "--drain-timeout", "1")  # fmt: skip


def read_port(file: pathlib.Path) -> int:
    """What a service wrote once it served."""
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if file.exists() and file.read_text().strip():
            return int(file.read_text())
        time.sleep(0.02)
    raise TimeoutError(f"no service wrote {file} within {START_S} s")


def run_kvscope(*arguments: object, cwd: pathlib.Path) -> str:
    """The command line's stdout."""
    run = subprocess.run([KVSCOPE, *map(str, arguments)], cwd=cwd, capture_output=True, text=True)
    assert run.returncode == 0, f"{arguments}\n{run.stdout}\n{run.stderr}"
    return run.stdout


class Serve:
    """`kvscope serve` on a free port: the three services in one process."""

    def __enter__(self) -> "Serve":
        self._folder = tempfile.TemporaryDirectory(prefix="kvscope-serve-")
        words = [KVSCOPE, "serve", "--listen", "127.0.0.1:0", "--models-dir", MODELS,
                 "--store", f"{self._folder.name}/store.db"]  # fmt: skip
        self._process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        for line in self._process.stderr:
            if line.startswith("serving on "):
                self.address = line.split()[2].rstrip(";")
                return self
        raise RuntimeError(f"kvscope serve ended with {self._process.wait()}")

    def __exit__(self, *unused: object) -> None:
        self._process.terminate()
        self._process.communicate()
        self._folder.cleanup()
