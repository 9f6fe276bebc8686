#!/usr/bin/env python3
"""A unit that kills every worker that begins it: it is set aside, all others end, the sweep fails
with its name and keeps all other answers; once the cause is gone the same command completes it.

The killer stands for the kernel's, which ends a worker whose unit needs too much memory: it reads
in the workers' logs what they begin, and starts another worker for each that it killed.

usage: KVSCOPE_SOURCE=. KVSCOPE_BIN=build/release/bin poison_test.py
"""

import threading
import time
import unittest

from cluster import LONGER, PATIENCE_SECONDS, UNITS, Cluster, answers, run, undisturbed

ATTEMPTS = 3
THE_POISONOUS = 4  # of the units, in the order of their first lease


class Killer(threading.Thread):
    """Kills whoever begins the poisonous unit; starts a new worker for every dead one."""

    def __init__(self, cluster):
        super().__init__()
        self.cluster = cluster
        self.unit, self.kills = "", []  # of the unit: times since the beginning
        self.over = threading.Event()

    def run(self):
        begun, workers = [], 1
        worker = self.cluster.worker(f"worker-{workers}")
        while not self.over.wait(0.005):
            if not worker.running():
                workers += 1
                worker = self.cluster.worker(f"worker-{workers}")
            for line in worker.logged("unit begun"):
                if line["unit"] not in begun:
                    begun.append(line["unit"])
            if len(begun) < THE_POISONOUS:
                continue
            self.unit = begun[THE_POISONOUS - 1]
            if worker.logged("unit begun", unit=self.unit) and worker.running():
                worker.kill()
                self.kills.append(time.monotonic())


class Poison(unittest.TestCase):
    def test_a_unit_that_kills_its_worker(self):
        wanted = undisturbed(LONGER)
        cluster = Cluster(self, LONGER)
        cluster.metrics()
        cluster.orchestrator("--max-attempts", ATTEMPTS)
        killer = Killer(cluster)
        killer.start()
        self.addCleanup(killer.over.set)
        sweep = cluster.submit()
        code = sweep.process.wait(PATIENCE_SECONDS)
        self.assertEqual(code, 1, sweep.log.read_text()[-2000:])
        self.assertEqual(len(killer.kills), ATTEMPTS)
        said = sweep.log.read_text()
        self.assertIn(f"1 of {UNITS} units", said)
        self.assertIn(killer.unit, said)
        shown = run(*cluster.client("sweeps", "show", LONGER["name"], "--json"))
        self.assertIn('"FAILED"', shown)
        self.assertIn(killer.unit, shown)

        table = cluster.folder / "others.csv"
        table.write_text(
            run(*cluster.client("results", LONGER["name"], "--level", "answers", "--format", "csv"))
        )
        others = answers(table)
        self.assertEqual(cluster.recorded(), UNITS - 1)
        self.assertEqual(len(others), len(set(others)))
        self.assertLessEqual(set(others), set(wanted))
        missing = [row for row in wanted if row not in set(others)]
        self.assertEqual(len({row[4] for row in missing}), 1, "of one passage")
        self.assertEqual(len(others) + len(missing), len(wanted))

        killer.over.set()
        killer.join()
        if not any(s.running() for n, s in cluster.services.items() if n.startswith("worker")):
            cluster.worker("worker-healthy")
        done = cluster.check_answers(cluster.submit(), wanted)
        print(
            f"a poisonous unit: {len(killer.kills)} workers killed, set aside; {len(others)} of "
            f"{len(wanted)} answers were there; resumed without the cause: {done}"
        )


if __name__ == "__main__":
    unittest.main(verbosity=2)
