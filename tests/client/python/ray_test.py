#!/usr/bin/env python3
"""Workers on a Ray cluster of three local nodes, one of which is lost while a sweep runs.

usage: KVSCOPE=build/release/bin/kvscope KVSCOPE_SOURCE=. ray_test.py
"""

import os

import environment

# Before Ray is imported: no reports to its makers, a lost node is noticed within two seconds, and
# a busy machine may take its time to start one.
os.environ.update(
    RAY_USAGE_STATS_ENABLED="0",
    RAY_health_check_period_ms="500",
    RAY_health_check_failure_threshold="3",
    RAY_health_check_initial_delay_ms="0",
    RAY_raylet_start_wait_time_s="120",
)
environment.enter("ray", environment.CLIENT + ("ray==2.60.0",))

import json  # noqa: E402
import pathlib  # noqa: E402
import signal  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
import unittest  # noqa: E402

from cluster import KVSCOPE, MODELS, SOURCE, Cluster, run_kvscope  # noqa: E402

PACKAGE = SOURCE / "services" / "client" / "python"
sys.path.insert(0, str(PACKAGE))
os.environ["PYTHONPATH"] = str(PACKAGE)  # of the nodes' processes

import ray  # noqa: E402
import ray.cluster_utils  # noqa: E402

import kvscope  # noqa: E402
import kvscope.ray  # noqa: E402

SWEEP = {
    "name": "on-ray",
    "model": str(MODELS / "pocket-llama"),
    "datasets": [{"name": "knowledge", "passages": 30, "seed": 3}],
    "presses": ["snapkv(window_size=8)", "adakv(expected_attention)"],
    "ratios": [0, 0.5, 0.9],
    "max_new_tokens": 12,
}


def alive(pid):
    try:
        return "State:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def until(said, check, timeout=60):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {timeout} s: {said}")


class Ray(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.nodes = ray.cluster_utils.Cluster()
        cls.addClassCleanup(cls.nodes.shutdown)
        cls.addClassCleanup(ray.shutdown)
        for i in range(3):
            cls.nodes.add_node(
                num_cpus=0 if i == 0 else 1,
                resources={} if i == 0 else {"slot": 1},
                object_store_memory=80 << 20,
                include_dashboard=False,
            )
        ray.init(address=cls.nodes.address, log_to_driver=False)

    def launch(self, cluster, **options):
        return kvscope.ray.launch(
            **{
                "workers": 1,
                "orchestrator": cluster.address,
                "metrics": cluster.metrics,
                "models_dir": MODELS,
                "resources": {"CPU": 0.5, "slot": 0.5},
                "command": [str(KVSCOPE.parent / "kvscope-inference")],
                "arguments": ["--threads", "1", "--device", "cpu", "--log-level", "warning"],
                "drain_timeout": 2,
                **options,
            }
        )

    def test_a_lost_node_changes_no_result(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "sweep.yaml").write_text(json.dumps(SWEEP))
        run_kvscope("run", "sweep.yaml", "--out", "out", "--workers", "1", cwd=folder)
        embedded = run_kvscope(
            "results", "out", "--level", "answers", "--format", "csv", cwd=folder
        )

        cluster = self.enterContext(Cluster(workers=0))
        client = self.enterContext(kvscope.Client(cluster.address))
        workers = self.enterContext(self.launch(cluster, workers=2))
        placed = workers.wait(120)
        self.assertEqual(len({worker.node for worker in placed}), 2)  # spread over the nodes
        sweep = client.submit(SWEEP, command=str(KVSCOPE))
        lost = False
        for info in sweep.watch():
            if lost or info.progress.units_done == 0:
                continue
            self.assertLess(info.progress.units_done, info.progress.units_total)
            self.lose(placed[0], workers)
            lost = True
        self.assertTrue(lost)
        self.assertEqual(sweep.info.state, kvscope.State.SUCCEEDED)
        told = run_kvscope(
            "results", sweep.id, "--connect", cluster.address, "--level", "answers",
            "--format", "csv", cwd=folder,
        )  # fmt: skip

        def comparable(csv):  # all but the sweep's id and the model's path
            return sorted(line.split(",", 2)[2] for line in csv.splitlines())

        self.assertEqual(comparable(told), comparable(embedded))
        self.assertEqual(len(comparable(told)), 1 + sweep.info.progress.answers_total)
        left = workers.status()
        workers.stop()
        for worker in left:
            self.assertFalse(alive(worker.pid))

    def lose(self, worker, workers):
        """Ends the worker's node without warning, and waits until all run on other ones."""
        nodes = {node.node_id: node for node in self.nodes.list_all_nodes()}
        began = time.monotonic()
        self.nodes.remove_node(nodes[worker.node], allow_graceful=False)

        def moved():
            return all(now.pid and now.node != worker.node for now in workers.status())

        until("every worker runs on another node", moved)
        print(f"placed anew {time.monotonic() - began:.1f} s after the node was lost")
        until("the lost node's process ends", lambda: not alive(worker.pid))
        self.nodes.add_node(num_cpus=1, resources={"slot": 1}, object_store_memory=80 << 20)

    def test_a_killed_process_is_started_anew(self):
        cluster = self.enterContext(Cluster(workers=0))
        workers = self.enterContext(self.launch(cluster))
        (before,) = workers.wait(120)
        os.kill(before.pid, signal.SIGKILL)

        def restarted():
            (now,) = workers.status()
            return now.pid and now.pid != before.pid and now

        now = until("another process runs", restarted)
        self.assertEqual((now.starts, now.last_exit), (2, -signal.SIGKILL))
        client = self.enterContext(kvscope.Client(cluster.address))
        passage = {
            "context": "Falwyn Belmont was born on 3 August 1950. They lived in Delgate.",
            "questions": [{"question": "Where did Falwyn Belmont live?", "answer": "Delgate"}],
        }
        client.submit({**SWEEP, "datasets": [kvscope.Rows("one", [passage])]}).wait()

    def test_from_the_command_line(self):
        cluster = self.enterContext(Cluster(workers=0))
        command = [
            sys.executable, "-m", "kvscope", "ray", "--workers", "1", "--cpus", "0.5",
            "--orchestrator", cluster.address, "--metrics", cluster.metrics, "--models-dir", MODELS,
            "--address", self.nodes.address, "--command", KVSCOPE.parent / "kvscope-inference",
            "--drain-timeout", "2", "--", "--threads", "1", "--device", "cpu",
        ]  # fmt: skip
        keeper = subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, text=True)
        said = []
        with keeper:
            for line in keeper.stderr:
                said.append(line.strip())
                if "1 running" in line:
                    keeper.send_signal(signal.SIGTERM)
        self.assertEqual(keeper.returncode, 0, said)
        self.assertIn("1 running", said)
        self.assertEqual(said[-1], "stopping")

    def test_the_cluster_file_is_one_that_ray_takes(self):
        import yaml
        from ray.autoscaler._private.util import prepare_config, validate_config

        config = yaml.safe_load((SOURCE / "deploy" / "ray" / "cluster.yaml").read_text())
        validate_config(prepare_config(config))
        for path in config["file_mounts"].values():
            self.assertTrue(path.startswith("./build/") or (SOURCE / path).exists(), path)

    def test_what_cannot_be_placed_is_said(self):
        cluster = self.enterContext(Cluster(workers=0))
        with self.launch(cluster, resources={"no-such-thing": 1}) as workers:
            with self.assertRaisesRegex(
                kvscope.UnavailableError, "1 of 1 workers do not run: .* room"
            ):
                workers.wait(2)
        with self.launch(cluster, arguments=["--no-such-flag"]) as workers:
            with self.assertRaisesRegex(kvscope.UnavailableError, "ended with 2 and said: .*such"):
                workers.wait(120)
        with self.assertRaisesRegex(kvscope.InvalidArgumentError, "workers: is 0"):
            self.launch(cluster, workers=0)


if __name__ == "__main__":
    unittest.main()
