#!/usr/bin/env python3
"""What docs/operations.md says of backup and restore, done: a running cluster is backed up in the
middle of a sweep, the copies are given to a new cluster, and the sweep ends there with results that
equal those of the first one byte for byte."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["KVSCOPE_SOURCE"])
BIN = pathlib.Path(os.environ["KVSCOPE_BIN"])
os.environ["KVSCOPE"] = str(BIN / "kvscope")
sys.path.insert(0, str(SOURCE / "tests/client/python"))

import sweeps  # noqa: E402
from cluster import Cluster  # noqa: E402

SWEEP = SOURCE / "tests/deploy/sweep.yaml"


def run(*command, check=True):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if check and done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stderr}")
    return done


def backup(store, target, check=True):
    """The command of docs/operations.md."""
    return run(BIN / "kvscope-orchestrator", "backup", target, "--store", store, check=check)


def answers(cluster, sweep_id, form):
    command = ["results", sweep_id, "--level", "answers", "--format", form]
    return sweeps.kvscope(*command, "--connect", cluster.address)


class Backup(unittest.TestCase):
    def setUp(self):
        self.copies = pathlib.Path(tempfile.mkdtemp(prefix="kvscope-backup-"))
        self.addCleanup(shutil.rmtree, self.copies)

    def test_a_restored_cluster_ends_the_sweep_with_equal_results(self):
        with Cluster() as cluster:
            submitted = subprocess.Popen(
                [BIN / "kvscope", "run", SWEEP, "--connect", cluster.address]
                + ["--out", self.copies / "first"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            self.addCleanup(submitted.kill)
            sweeps.wait_for_units(cluster.address, 2, submitted)
            said = backup(cluster.dir / "store.db", self.copies / "store.db").stderr
            self.assertIn("bytes", said)
            self.assertIsNone(submitted.poll(), "the sweep ended before the backup")
            # The features after the store: every unit that the copy has done has its file then.
            shutil.copytree(cluster.dir / "hidden-states", self.copies / "hidden-states")
            stderr = submitted.communicate(timeout=600)[1]
            self.assertEqual(submitted.returncode, 0, stderr)
            sweep = sweeps.only_sweep(cluster.address)
            first = [answers(cluster, sweep["id"], form) for form in ("csv", "jsonl")]

        with Restored(self.copies) as cluster:
            restored = sweeps.only_sweep(cluster.address)
            self.assertEqual(restored["state"], "RUNNING", "the copy is from the middle")
            self.assertGreaterEqual(sweeps.units_done(restored), 2)
            sweeps.kvscope("sweeps", "watch", sweep["id"], "--connect", cluster.address)
            second = [answers(cluster, sweep["id"], form) for form in ("csv", "jsonl")]
        self.assertGreater(first[0].count("\n"), 1000)
        self.assertEqual(second, first)

    def test_a_backup_never_overwrites(self):
        with Cluster(workers=0) as cluster:
            target = self.copies / "store.db"
            target.write_text("mine")
            refused = backup(cluster.dir / "store.db", target, check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("never overwrites", refused.stderr)
            self.assertEqual(target.read_text(), "mine")


class Restored(Cluster):
    """A cluster that starts on copies of another one's stores."""

    def __init__(self, copies):
        super().__init__()
        shutil.copy(copies / "store.db", self.dir / "store.db")
        shutil.copytree(copies / "hidden-states", self.dir / "hidden-states")


if __name__ == "__main__":
    unittest.main(verbosity=2)
