#!/usr/bin/env python3
"""SIGTERM under load: each service in turn, while a sweep runs, ends with 0 within its
--drain-timeout, and the sweep goes on when it is back.

usage: KVSCOPE_SOURCE=. KVSCOPE_BIN=build/release/bin drain_test.py
"""

import unittest

from cluster import LONGER, UNITS, Cluster, undisturbed, wait

DRAIN_SECONDS = 20


class Drain(unittest.TestCase):
    def test_every_service_in_turn(self):
        wanted = undisturbed()
        cluster = Cluster(self)
        drain = ("--drain-timeout", DRAIN_SECONDS)
        cluster.metrics(*drain)
        cluster.orchestrator(*drain)
        cluster.worker("worker-1", *drain)
        at = dict(cluster.addresses)
        restart = {
            "worker-1": lambda: cluster.worker("worker-1", *drain),
            "metrics": lambda: cluster.metrics(*drain, listen=at["metrics"]),
            "orchestrator": lambda: cluster.orchestrator(*drain, listen=at["orchestrator"]),
        }
        sweep = cluster.submit()
        took = {}
        for name, start in restart.items():
            cluster.wait_for_recorded(cluster.recorded() + 1, sweep)
            code, took[name] = cluster.services[name].terminate()
            self.assertTrue(sweep.running(), sweep.log.read_text())
            self.assertEqual(code, 0, name)
            self.assertLess(took[name], DRAIN_SECONDS, name)
            self.assertEqual(cluster.services[name].lines()[-1]["message"], "ended", name)
            start()
        done = cluster.check_answers(sweep, wanted)
        times = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in took.items())
        print(f"SIGTERM under load, to exit code 0: {times} (of {DRAIN_SECONDS} s); {done}")

    def test_a_unit_for_which_there_is_no_time_is_given_back(self):
        wanted = undisturbed(LONGER)
        cluster = Cluster(self, LONGER)
        cluster.metrics()
        cluster.orchestrator()
        worker = cluster.worker("worker-1", "--drain-timeout", 0)
        sweep = cluster.submit()
        wait("its second unit begins", lambda: len(worker.logged("unit begun")) == 2)
        code, took = worker.terminate()
        self.assertEqual(code, 0)
        leases = cluster.leases()
        self.assertEqual((leases["returned"], leases["lost"], leases["expired"]), (1, 0, 0))
        cluster.worker("worker-1")
        done = cluster.check_answers(sweep, wanted)
        self.assertEqual(cluster.leases()["given"], UNITS + 1)
        print(
            f"SIGTERM in the middle of a unit, no time to drain: given back in {took:.2f} s; {done}"
        )


if __name__ == "__main__":
    unittest.main(verbosity=2)
