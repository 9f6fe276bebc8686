"""A cluster of real processes, to which something bad is done, and the sweep that must not notice.

KVSCOPE_BIN names the folder of the programs, KVSCOPE_SOURCE the source tree.
"""

import collections
import csv
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

BIN = pathlib.Path(os.environ["KVSCOPE_BIN"]).resolve()
SOURCE = pathlib.Path(os.environ["KVSCOPE_SOURCE"]).resolve()
SKIPPED = 77  # ctest's word for it
PATIENCE_SECONDS = 240  # for what takes a second on a machine that has nothing else to do
UNITS = 15  # a passage each: fewer than 16 are not put together
SWEEP = {
    "name": "faults",
    "model": str(SOURCE / "models" / "pocket-llama"),
    "datasets": [{"name": "knowledge", "scale": "pocket", "passages": UNITS, "seed": 5}],
    "regimes": ["agnostic"],
    "presses": ["knorm", "snapkv(window_size=8)", "random"],
    "ratios": [0, 0.5, 0.9],
    "max_new_tokens": 12,
}
# The same with units of half a second, for what needs time to happen.
LONGER = {**SWEEP, "presses": [f"snapkv(window_size={window})" for window in range(2, 12)]}
GET = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=20).read().decode())"


def skip(reason):
    """Ends the program as skipped; says why."""
    print(f"skipped: {reason}", flush=True)
    sys.exit(SKIPPED)


def need(*programs, root=True):
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        skip(f"no {', '.join(missing)} (scripts/install-packages --with-tests)")
    if root and os.geteuid() != 0:
        skip("only root may do this to a machine")


def run(*command):
    """The command's stdout; it must succeed."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait(what, ready, seconds=PATIENCE_SECONDS):
    """What `ready` returns, once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := ready()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return found


def answers(path):
    """The rows of a sweep's answers.csv, without what tells one run from another."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return [tuple(v for k, v in row.items() if k not in ("sweep_id", "model")) for row in rows]


class Service:
    """A running program with its log."""

    def __init__(self, name, log, command, env):
        self.name, self.log = name, log
        with open(log, "ab") as stderr:
            self.process = subprocess.Popen(
                list(map(str, command)), stdout=stderr, stderr=stderr, env=env
            )

    def lines(self):
        """What it has logged so far; the last line may still be on its way."""
        text = self.log.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def logged(self, message, **fields):
        return [
            line
            for line in self.lines()
            if line["message"] == message and all(line[k] == v for k, v in fields.items())
        ]

    def running(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def terminate(self):
        """SIGTERM: the exit code, and the seconds it took."""
        begin = time.monotonic()
        self.process.terminate()
        code = self.process.wait(PATIENCE_SECONDS)
        return code, time.monotonic() - begin


class Cluster:
    """Services by name; `test` ends them. Workers are "worker-1", "worker-2", ..."""

    def __init__(self, test, sweep=SWEEP):
        self.test, self.sweep = test, sweep
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kvscope-faults-"))
        self.services, self.addresses, self.pages = {}, {}, {}
        self.inside = {}  # name: what its commands begin with, such as ip netns exec NAMESPACE
        self.security = ()  # flags of every service
        self.client_security = ()  # flags of the command line
        self.client_host = None  # where the client finds the orchestrator
        test.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        test.addCleanup(self.stop)

    def start(self, name, program, *flags, listen="127.0.0.1:0", env=None):
        port_file = self.folder / f"{name}.port"
        port_file.unlink(missing_ok=True)
        page = self.pages.get(name, f"127.0.0.1:{free_port()}")
        command = [
            *self.inside.get(name, ()),
            BIN / program,
            *("--listen", listen, "--port-file", port_file, "--prometheus", page),
            *("--log-level", "debug"),
            *self.security,
            *flags,
        ]
        log = self.folder / f"{name}.log"
        service = Service(name, log, command, {**os.environ, **(env or {})})
        self.services[name], self.pages[name] = service, page

        def port():
            if not service.running():
                raise AssertionError(f"{name} did not start: {log.read_text()[-2000:]}")
            return port_file.exists() and port_file.read_text().strip()

        self.addresses[name] = f"127.0.0.1:{wait(f'{name} serves', port)}"
        return service

    def metrics(self, *flags, **options):
        return self.start(
            "metrics", "kvscope-metrics", "--store", self.folder / "features", *flags, **options
        )

    def orchestrator(self, *flags, store=None, **options):
        return self.start(
            "orchestrator",
            "kvscope-orchestrator",
            *("--store", store or self.folder / "store.db", "--models-dir", SOURCE / "models"),
            *("--metrics", self.addresses["metrics"], *flags),
            **options,
        )

    def worker(self, name, *flags, host=None, program="kvscope-inference", device="cpu", **options):
        return self.start(
            name,
            program,
            *("--orchestrator", self.seen_from("orchestrator", host)),
            *("--metrics", self.seen_from("metrics", host)),
            *("--models-dir", SOURCE / "models", "--threads", 1, "--device", device, *flags),
            **options,
        )

    def seen_from(self, service, host):
        address = self.addresses[service]
        return address if host is None else address.replace("127.0.0.1", host)

    def client(self, *arguments):
        """What starts the command line as the cluster's client."""
        connect = ("--connect", self.seen_from("orchestrator", self.client_host))
        inside = self.inside.get("client", ())
        return [*inside, BIN / "kvscope", *arguments, *connect, *self.client_security]

    def submit(self):
        """`kvscope run` of the sweep, which goes on by itself."""
        sweep = self.folder / "sweep.yaml"
        sweep.write_text(json.dumps(self.sweep))  # JSON is YAML
        log = self.folder / "run.log"
        command = self.client("run", sweep, "--out", self.folder / "out")
        return Service("run", log, command, dict(os.environ))

    def page(self, name):
        """The service's metrics, as {name{labels}: value}."""
        url = f"http://{self.pages[name]}/metrics"
        lines = run(*self.inside.get(name, ()), sys.executable, "-c", GET, url).splitlines()
        pairs = [line.rsplit(" ", 1) for line in lines if line and not line.startswith("#")]
        return {key: float(value) for key, value in pairs}

    def leases(self):
        """How leases ended, by outcome, and how many were given."""
        page = self.page("orchestrator")
        ended = re.compile(r'kvscope_orchestrator_leases_ended_total\{outcome="(\w+)"\}')
        found = {m[1]: int(v) for k, v in page.items() if (m := ended.fullmatch(k))}
        found["given"] = int(page["kvscope_orchestrator_leases_given_total"])
        found["refused"] = int(page["kvscope_orchestrator_duplicates_refused_total"])
        return found

    def recorded(self):
        """Units whose result is in the store, in the life of this orchestrator's log."""
        ended = self.services["orchestrator"].logged("unit ended", error="")
        return len({line["unit"] for line in ended})

    def wait_for_recorded(self, count, sweep):
        def ready():
            found = self.recorded() >= count
            if not found and not sweep.running():
                raise AssertionError(f"the sweep ended too early: {sweep.log.read_text()}")
            return found

        wait(f"{count} units are recorded", ready)

    def check_answers(self, sweep, undisturbed):
        """The sweep ends by itself, with nothing lost, nothing twice, all answers as they were."""
        code = sweep.process.wait(PATIENCE_SECONDS)
        self.test.assertEqual(code, 0, sweep.log.read_text()[-2000:])
        found = answers(self.folder / "out" / "answers.csv")
        wanted, got = collections.Counter(undisturbed), collections.Counter(found)
        lost, twice = sum((wanted - got).values()), sum((got - wanted).values())
        self.test.assertEqual((lost, twice), (0, 0))
        self.test.assertEqual(found, undisturbed)
        units = sum(dataset["passages"] for dataset in self.sweep["datasets"])
        self.test.assertEqual(self.recorded(), units)
        recorded = self.services["orchestrator"].logged("unit ended", error="")
        self.test.assertEqual(len(recorded), units, "a unit was recorded twice")
        return f"{len(found)} answers as undisturbed, {lost} lost, {twice} twice"

    def stop(self):
        for service in reversed(list(self.services.values())):
            service.kill()


def undisturbed(sweep=SWEEP):
    """The answers of an embedded run of the sweep."""
    with tempfile.TemporaryDirectory(prefix="kvscope-faults-") as folder:
        path = pathlib.Path(folder) / "sweep.yaml"
        path.write_text(json.dumps(sweep))
        run(BIN / "kvscope", "run", path, "--out", pathlib.Path(folder) / "out")
        return answers(pathlib.Path(folder) / "out" / "answers.csv")
