#!/usr/bin/env python3
"""Brings docker/compose.yaml up for real and uses it as its readers do: a sweep is submitted from
outside, a worker is killed in the middle and comes back, the results equal those of an embedded run
byte for byte, Prometheus sees every service, and nothing is left when it is taken down."""

import contextlib
import csv
import io
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

import containers
import sweeps
from containers import SOURCE, say, wait_for

PROJECT = "kvscopetest"
SWEEP = SOURCE / "tests/deploy/sweep.yaml"
PROMETHEUS = "prometheus"  # the stage of tests/deploy/prometheus.Dockerfile


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def without_timing(text):
    """A CSV's rows without what differs between equal runs: when and how fast."""
    rows = list(csv.DictReader(io.StringIO(text)))
    return [
        {name: value for name, value in row.items() if not name.endswith(("seconds", "_ms", "_at"))}
        for row in rows
    ]


class Cluster:
    """docker/compose.yaml, running; with a folder of secrets compose.secure.yaml over it."""

    def __init__(self, engine, environment, secrets=None):
        self.engine = engine
        self.files = ["docker/compose.yaml", "tests/deploy/compose.test.yaml"]
        if secrets:
            self.files.insert(1, "docker/compose.secure.yaml")
            environment = environment | {"KVSCOPE_SECRETS": str(secrets)}
        self.port, self.prometheus_port, grafana_port = free_ports(3)
        self.environment = environment | {
            "KVSCOPE_TAG": "test",
            "KVSCOPE_WORKERS": "2",
            "KVSCOPE_PORT": str(self.port),
            "KVSCOPE_PROMETHEUS_PORT": str(self.prometheus_port),
            "KVSCOPE_GRAFANA_PORT": str(grafana_port),
        }
        self.address = f"127.0.0.1:{self.port}"

    def compose(self, *arguments, timeout=600):
        command = ["docker-compose", "--ansi=never", "--project-name", PROJECT]
        for file in self.files:
            command += ["--file", str(SOURCE / file)]
        return containers.run([*command, *arguments], env=self.environment, timeout=timeout)

    def of(self, service):
        """Ids of a service's running containers."""
        label = f"label=com.docker.compose.service={service}"
        return self.engine.containers("--filter", label)

    def query(self, expression):
        """What Prometheus answers: label sets with their values."""
        url = f"http://127.0.0.1:{self.prometheus_port}/api/v1/query?"
        url += urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]["result"]


class Compose(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = containers.Engine()
        cls.engine.clean()
        cls.addClassCleanup(cls.engine.clean)
        cls.engine.build_all()
        cls.engine.build(PROMETHEUS, file="tests/deploy/prometheus.Dockerfile")
        cls.scratch = pathlib.Path(tempfile.mkdtemp(prefix="kvscope-compose-"))
        cls.addClassCleanup(shutil.rmtree, cls.scratch)

    def test_a_cluster_computes_what_one_process_does_and_leaves_nothing(self):
        before = self.what_exists()
        with self.engine.api() as environment:
            cluster = Cluster(self.engine, environment)
            begin = time.monotonic()
            try:
                cluster.compose("up", "--detach", "--no-build")
                say(f"up, every service healthy in its turn: {time.monotonic() - begin:.0f} s")
                self.check_start_order(cluster)
                self.run_with_a_dying_worker(cluster)
                self.check_prometheus_sees_all(cluster)
                deployed = self.results(cluster)
            except BaseException:
                print(cluster.compose("logs", "--tail=40").stdout, flush=True)
                raise
            finally:
                begin = time.monotonic()
                cluster.compose("down", "--volumes", "--timeout=40")
                say(f"down: {time.monotonic() - begin:.0f} s")
        self.assertEqual(self.what_exists(), before, "something is left")
        self.compare(deployed, self.embedded_results())

    def test_with_secrets_every_call_is_encrypted_and_needs_a_token(self):
        before = self.what_exists()
        secrets = self.scratch / "secrets"
        containers.run([str(SOURCE / "docker/make-secrets"), str(secrets)])
        with self.engine.api() as environment:
            cluster = Cluster(self.engine, environment, secrets)
            try:
                cluster.compose("up", "--detach", "--no-build", "--scale", "worker=1", "worker")
                say("up with TLS and tokens, every service healthy in its turn")
                self.check_refusals(cluster, secrets)
            except BaseException:
                print(cluster.compose("logs", "--tail=40").stdout, flush=True)
                raise
            finally:
                cluster.compose("down", "--volumes", "--timeout=40")
        self.assertEqual(self.what_exists(), before, "something is left")

    def check_refusals(self, cluster, secrets):
        """Plaintext, no certificate, no token and too small a role are refused; a sweep is not."""
        tls = ["--tls-ca", secrets / "ca.crt"]
        both = [*tls, "--tls-cert", secrets / "client.crt", "--tls-key", secrets / "client.key"]
        read = [*both, "--token-file", secrets / "read.token"]
        submit = [*both, "--token-file", secrets / "submit.token"]
        run = ["run", SWEEP, "--connect", cluster.address, "--out", self.scratch / "secured"]
        listing = ["sweeps", "list", "--connect", cluster.address]
        for arguments, told in ([], "no server"), (tls, "no server"), (both, "asks for a token"):
            with self.assertRaisesRegex(AssertionError, told):
                sweeps.kvscope(*listing, *arguments)
        sweeps.kvscope(*listing, *read)
        with self.assertRaisesRegex(AssertionError, "needs the role submit"):
            sweeps.kvscope(*run, *read)
        sweeps.kvscope(*run, *submit)
        say("a sweep ran over TLS with a token; everything less was refused")

    def what_exists(self):
        """Containers, networks and volumes in the store."""
        listings = (("ps", "--all"), ("network", "ls"), ("volume", "ls"))
        return [self.engine.podman(*listing, "--quiet").stdout.split() for listing in listings]

    def check_start_order(self, cluster):
        started = {}
        for service in ("metrics", "orchestrator", "worker", "prometheus"):
            ids = cluster.of(service)
            self.assertEqual(len(ids), 2 if service == "worker" else 1, service)
            started[service] = [self.engine.inspect(one)["State"]["StartedAt"] for one in ids]
        self.assertLess(max(started["metrics"]), min(started["orchestrator"]))
        self.assertLess(max(started["orchestrator"]), min(started["worker"]))

    def run_with_a_dying_worker(self, cluster):
        """Submits the sweep, kills a worker once results come in, and waits for the sweep."""
        command = [str(sweeps.KVSCOPE), "run", str(SWEEP), "--connect", cluster.address]
        command += ["--out", str(self.scratch / "deployed")]
        submitted = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(submitted.kill)
        done = sweeps.wait_for_units(cluster.address, 2, submitted)
        victim = cluster.of("worker")[0]
        pid = self.engine.inspect(victim)["State"]["Pid"]
        os.kill(pid, 9)
        self.assertIsNone(submitted.poll(), "the sweep ended before a worker was killed")
        say(f"killed a worker after {done} units")
        back = wait_for(
            lambda: len(cluster.of("worker")) == 2 and victim_runs_anew(self.engine, victim, pid),
            120,
            "the killed worker is back",
        )
        say(f"the worker is back after {back:.1f} s")
        stdout, stderr = submitted.communicate(timeout=900)
        self.assertEqual(submitted.returncode, 0, stderr.decode()[-3000:])
        say("the sweep has ended")

    def check_prometheus_sees_all(self, cluster):
        for job, count in (("orchestrator", 1), ("metrics", 1), ("worker", 2)):
            wait_for(
                lambda: len(cluster.query(f'up{{job="kvscope-{job}"}} == 1')) == count,
                120,
                f"Prometheus scrapes kvscope-{job}",
            )
        versions = cluster.query("count by (version) (kvscope_build_info)")
        self.assertEqual(len(versions), 1, versions)
        self.assertEqual(float(versions[0]["value"][1]), 4.0)

    def results(self, cluster):
        """answers and cells, as `run` wrote them and as `results` prints them."""
        folder = self.scratch / "deployed"
        sweep = sweeps.only_sweep(cluster.address)["id"]
        form = ["--level", "answers", "--format", "jsonl"]
        printed = sweeps.kvscope("results", sweep, *form, "--connect", cluster.address)
        return read_run(folder) | {"jsonl": printed}

    def embedded_results(self):
        """The same sweep in one process of the same build: the cli image."""
        folder = self.scratch / "embedded"
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)
        arguments = ["run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL"]
        arguments += ["--volume", f"{folder}:/data", "--volume", f"{SWEEP.parent}:/sweep:ro"]
        image = containers.image_of("cli")
        # As a cluster calls it: by the name below the models' folder.
        arguments += ["--workdir", "/kvscope/models"]
        model = ["--model", "pocket-llama"]
        begin = time.monotonic()
        run = ["run", "/sweep/sweep.yaml", *model, "--out", "/data/out", "--workers", "1"]
        self.engine.podman(*arguments, image, *run, timeout=1500)
        say(f"the embedded run: {time.monotonic() - begin:.0f} s")
        printed = self.engine.podman(
            *arguments, image, "results", "/data/out", "--level", "answers", "--format", "jsonl"
        )
        return read_run(folder / "out") | {"jsonl": printed.stdout}

    def compare(self, deployed, embedded):
        self.assertGreater(len(deployed["answers"]), 1000)
        for level in ("answers", "cells"):
            self.assertEqual(len(deployed[level]), len(embedded[level]), level)
            for ours, theirs in zip(deployed[level], embedded[level]):
                self.assertEqual(ours, theirs, level)
        self.assertEqual(deployed["jsonl"], embedded["jsonl"])
        say(f"{len(deployed['answers'])} answers are equal to those of an embedded run")


def victim_runs_anew(engine, container, old_pid):
    state = engine.inspect(container)["State"]
    return state["Running"] and state["Pid"] != old_pid


def read_run(folder):
    return {
        level: without_timing((folder / f"{level}.csv").read_text())
        for level in ("answers", "cells")
    }


if __name__ == "__main__":
    unittest.main(verbosity=2)
