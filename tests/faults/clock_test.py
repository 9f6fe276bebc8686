#!/usr/bin/env python3
"""The wall clock of the orchestrator and of a worker jumps hours ahead and back during a sweep: no
lease is lost, no unit tried twice, and the answers stay what they were.

libfaketime gives each process a wall clock that reads its offset from a file; monotonic time goes
on as it does on a machine whose clock is set. (It takes up to a second to see a new offset.)

usage: KVSCOPE_SOURCE=. KVSCOPE_BIN=build/release/bin clock_test.py
"""

import datetime
import pathlib
import unittest

from cluster import SWEEP, UNITS, Cluster, skip, undisturbed, wait

OFFSETS_HOURS = (7, -7)  # of the orchestrator's clock; the worker's are the other way
SLOW = {**SWEEP, "presses": [f"snapkv(window_size={window})" for window in range(2, 22)]}
LEASE_SECONDS = 5


def library():
    found = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        skip("no libfaketime (scripts/install-packages --with-tests)")
    return found[0]


class Clock:
    """The wall clock of a process."""

    def __init__(self, folder, name):
        self.file = folder / f"{name}.clock"
        self.set(0)

    def set(self, hours):
        partial = self.file.with_suffix(".partial")
        partial.write_text(f"{hours:+d}h\n")
        partial.rename(self.file)

    def environment(self):
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",  # its older name
        }


def hours_off(service):
    """How far ahead the service's clock was when it last logged something."""
    told = datetime.datetime.fromisoformat(service.lines()[-1]["time"].replace("Z", "+00:00"))
    now = datetime.datetime.now(datetime.timezone.utc)
    return round((told - now).total_seconds() / 3600)


class ClockJumps(unittest.TestCase):
    def test_hours_ahead_and_back(self):
        wanted = undisturbed(SLOW)
        cluster = Cluster(self, SLOW)
        clocks = {name: Clock(cluster.folder, name) for name in ("orchestrator", "worker-1")}
        cluster.metrics()
        cluster.orchestrator(
            *("--lease", LEASE_SECONDS, "--heartbeat", 0.5),
            env=clocks["orchestrator"].environment(),
        )
        cluster.worker("worker-1", env=clocks["worker-1"].environment())
        services = [cluster.services[name] for name in clocks]
        sweep = cluster.submit()
        for hours in OFFSETS_HOURS:
            cluster.wait_for_recorded(cluster.recorded() + 1, sweep)
            clocks["orchestrator"].set(hours)
            clocks["worker-1"].set(-hours)
            wait(
                f"clocks are {hours} h off",
                lambda: [hours_off(s) for s in services] == [hours, -hours],
            )
            self.assertTrue(sweep.running(), sweep.log.read_text())
        done = cluster.check_answers(sweep, wanted)
        leases = cluster.leases()
        self.assertEqual(leases["given"], UNITS)
        self.assertEqual(leases["recorded"], UNITS)
        self.assertEqual(leases["refused"], 0)
        print(
            f"the clock of the orchestrator was {OFFSETS_HOURS} h off, the worker's the other way: "
            f"{leases['given']} leases for {UNITS} units, {leases['expired']} expired, "
            f"{leases['lost']} lost; {done}"
        )


if __name__ == "__main__":
    library()
    unittest.main(verbosity=2)
