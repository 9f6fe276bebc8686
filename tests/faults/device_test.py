#!/usr/bin/env python3
"""A GPU that fails in the middle of a sweep, on workers whose GPU is an emulated one: the unit goes
back, the process ends so that it can be started again, and nothing is lost.

usage: KVSCOPE_SOURCE=. KVSCOPE_BIN=build/release/bin device_test.py
"""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from cluster import BIN, SOURCE, Cluster, answers, skip

DEVICE_FAILED = 3  # exit code of kvscope-inference
FAILS_AFTER = "KVSCOPE_CUDA_FAILS_AFTER"  # kernels
UNITS = 4
SWEEP = {
    "name": "device",
    "model": str(SOURCE / "models" / "pocket-llama"),
    "device": "cuda",
    "datasets": [{"name": "knowledge", "scale": "pocket", "passages": UNITS, "seed": 5}],
    "presses": ["knorm"],
    "ratios": [0.5],
    "max_new_tokens": 2,
}


def emulated(*arguments, **env):
    """kvscope with an emulated GPU: how it ended."""
    command = [BIN / "kvscope-emulated", *arguments]
    env = {**os.environ, **{name: str(value) for name, value in env.items()}}
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=240, env=env
    )


class Device(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="kvscope-device-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.sweep = self.write(SWEEP)

    def write(self, sweep):
        path = self.folder / "sweep.yaml"
        path.write_text(json.dumps(sweep))  # JSON is YAML
        return path

    def undisturbed(self):
        done = emulated("run", self.sweep, "--workers", 1, "--out", self.folder / "undisturbed")
        self.assertEqual(done.returncode, 0, done.stderr)
        return answers(self.folder / "undisturbed" / "answers.csv")

    def worker(self, cluster, name, *flags, **env):
        return cluster.worker(
            name, *flags, program="kvscope-inference-emulated", device="cuda", env=env
        )

    def test_its_unit_is_computed_by_another_worker(self):
        wanted = self.undisturbed()
        cluster = Cluster(self, SWEEP)
        cluster.metrics()
        cluster.orchestrator()
        broken = self.worker(cluster, "worker-1", **{FAILS_AFTER: "700"})
        sweep = cluster.submit()
        self.assertEqual(broken.process.wait(240), DEVICE_FAILED)
        (told,) = broken.logged("the device has failed", level="error")
        self.assertIn("illegal memory access", told["error"])
        self.assertEqual(broken.lines()[-1]["message"], "ended")
        self.assertEqual(broken.logged("unit failed"), [])
        leases = cluster.leases()
        self.assertEqual((leases["returned"], leases["lost"], leases["expired"]), (1, 0, 0))
        recorded = cluster.recorded()
        self.assertLess(recorded, UNITS)
        self.worker(cluster, "worker-2")
        print(f"failed after {recorded} units;", cluster.check_answers(sweep, wanted))

    def test_an_embedded_run_ends_and_goes_on(self):
        wanted = self.undisturbed()
        out = self.folder / "out"
        run = ("run", self.sweep, "--workers", 2, "--out", out)
        failed = emulated(*run, **{FAILS_AFTER: 700})
        self.assertEqual(failed.returncode, 1, failed.stderr)
        self.assertIn("illegal memory access", failed.stderr)
        self.assertIn("the same command goes on", failed.stderr)
        done = emulated(*run)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(answers(out / "answers.csv"), wanted)

    def test_one_of_several_is_named(self):
        wanted = self.undisturbed()
        self.write({**SWEEP, "device": "cuda:1"})
        run = ("run", self.sweep, "--workers", 1, "--out", self.folder / "out")
        lacking = emulated(*run)
        self.assertIn("there is no device cuda:1; this machine has 1", lacking.stderr)
        self.assertNotEqual(lacking.returncode, 0)
        done = emulated(*run, KVSCOPE_CUDA_DEVICES=2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(answers(self.folder / "out" / "answers.csv"), wanted)

    def test_too_little_memory_is_told_with_numbers(self):
        run = ("run", self.sweep, "--workers", 1, "--out", self.folder / "out")
        failed = emulated(*run, KVSCOPE_CUDA_MEMORY=44 << 20)
        self.assertNotEqual(failed.returncode, 0)
        self.assertRegex(failed.stderr, r"[\d.]+ MiB are needed, but 44.0 MiB are there")


if __name__ == "__main__":
    if not (BIN / "kvscope-emulated").exists():
        skip("no emulated GPU: it is built where CUDA's headers are")
    unittest.main(verbosity=2)
