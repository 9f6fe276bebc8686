#!/usr/bin/env python3
"""The orchestrator's disk fills up in the middle of a sweep: the log and the metrics say so, what
was recorded stays as it was, and once there is room again the same sweep goes on to its end.

usage: KVSCOPE_SOURCE=. KVSCOPE_BIN=build/release/bin disk_test.py
"""

import sqlite3
import subprocess
import tempfile
import unittest

from cluster import SWEEP, UNITS, Cluster, answers, need, run, skip, undisturbed, wait

SMALL, LARGE = "3m", "64m"  # the store's log alone grows to 4 MiB before it is copied
FULL = "cannot be written"


class FullDisk(unittest.TestCase):
    def test_it_fills_up_and_gets_room_again(self):
        wanted = undisturbed()
        cluster = Cluster(self)
        disk = cluster.folder / "disk"
        disk.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={SMALL}", "kvscope-faults", disk)
        self.addCleanup(run, "umount", "-l", disk)
        self.addCleanup(cluster.stop)
        cluster.metrics()
        orchestrator = cluster.orchestrator(store=disk / "store.db")
        cluster.worker("worker-1")
        sweep = cluster.submit()

        def refused():
            if not sweep.running():
                raise AssertionError(f"the disk did not fill up: {sweep.log.read_text()}")
            return [l for l in orchestrator.logged("result") if FULL in l["error"]]

        [first, *_] = wait("the log says that the disk is full", refused)
        self.assertEqual(first["level"], "error")
        before = cluster.recorded()
        self.assertGreater(before, 0)
        self.assertLess(before, UNITS)
        wait("results are refused again and again", lambda: cluster.leases()["unwritten"] >= 3)
        page = cluster.page("orchestrator")
        self.assertGreaterEqual(page["kvscope_store_commits_failed_total"], 3)
        self.assertEqual(page['kvscope_orchestrator_leases_ended_total{outcome="failed"}'], 0)
        self.assertEqual(len(refused()), 1, "once is enough for the log")

        table = cluster.folder / "meanwhile.csv"
        table.write_text(
            run(*cluster.client("results", SWEEP["name"], "--level", "answers", "--format", "csv"))
        )
        meanwhile = answers(table)
        self.assertLessEqual(set(meanwhile), set(wanted))
        self.assertEqual(len(meanwhile), len(wanted) * cluster.recorded() // UNITS)

        unwritten = cluster.leases()["unwritten"]
        run("mount", "-o", f"remount,size={LARGE}", disk)
        done = cluster.check_answers(sweep, wanted)
        self.assertEqual(orchestrator.terminate()[0], 0)
        with sqlite3.connect(disk / "store.db") as store:
            self.assertEqual(store.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            self.assertEqual(store.execute("PRAGMA foreign_key_check").fetchall(), [])
        store.close()
        print(
            f"a full disk of {SMALL}: {before} of {UNITS} units recorded, then {unwritten} results "
            f"refused, {len(meanwhile)} answers still read; with room: {done}"
        )


def need_tmpfs():
    need("mount", "umount")
    with tempfile.TemporaryDirectory(prefix="kvscope-faults-") as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "kvscope-faults", folder],
            capture_output=True,
            text=True,
        )
        if mounted.returncode != 0:
            skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
        run("umount", folder)


if __name__ == "__main__":
    need_tmpfs()
    unittest.main(verbosity=2)
