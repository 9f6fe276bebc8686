#!/usr/bin/env python3
"""A cluster over four hosts with mTLS, while the network between them is cut, slowed, lossy or
half-open: the sweep ends by itself, nothing is lost, nothing is there twice, and its answers are
those of an undisturbed run.

usage: KVSCOPE_SOURCE=. KVSCOPE_BIN=build/release/bin network_test.py [Network.test_...]
"""

import time
import unittest

import network
from cluster import PATIENCE_SECONDS, UNITS, Cluster, need, undisturbed, wait

LEASE_SECONDS = 3
CUT_SECONDS = 10
RATE = "1mbit"
LOSS = 0.2  # in each direction


def setUpModule():
    global WANTED
    WANTED = undisturbed()


class Network(unittest.TestCase):
    def setUp(self):
        self.network = network.Network(self)
        self.cluster = Cluster(self)
        cluster, net = self.cluster, self.network
        hub = [net.hub_from(host) for host in network.HOSTS]
        secrets = network.Secrets(cluster.folder, ["127.0.0.1", *hub])
        for name in ("orchestrator", "metrics"):
            cluster.inside[name] = net.inside(network.HUB)
        for host in network.HOSTS:
            cluster.inside[host] = net.inside(host)
        cluster.client_security = secrets.of_client()
        cluster.client_host = net.hub_from("client")
        cluster.metrics(*secrets.of_server(), listen="0.0.0.0:0")
        self.orchestrator = cluster.orchestrator(
            *("--lease", LEASE_SECONDS, "--heartbeat", 0.5),
            *secrets.of_server(),
            listen="0.0.0.0:0",
        )
        for host in ("worker-1", "worker-2"):
            hub = net.hub_from(host)
            cluster.worker(host, *secrets.of_worker(), host=hub)
        wait("two workers", lambda: len(self.orchestrator.logged("worker joined")) == 2)

    def expired(self):
        return self.cluster.leases()["expired"]

    def submit(self):
        """A sweep that both workers work on."""
        sweep = self.cluster.submit()
        self.cluster.wait_for_recorded(2, sweep)
        leased = lambda: {line["worker"] for line in self.orchestrator.logged("unit leased")}
        wait("both have something to do", lambda: len(leased()) == 2)
        return sweep

    def report(self, fault, sweep, begin, more=""):
        done = self.cluster.check_answers(sweep, WANTED)
        seconds = time.monotonic() - begin
        leases = self.cluster.leases()
        self.assertEqual(leases["recorded"], UNITS)
        self.assertEqual(leases["failed"], 0)
        ended = ("recorded", "expired", "lost", "returned", "refused")
        counts = ", ".join(f"{leases[outcome]} {outcome}" for outcome in ended)
        print(f"{fault}: {seconds:.1f} s; {leases['given']} leases, {counts}; {more}{done}")

    def test_cut_for_longer_than_a_lease(self):
        sweep, begin = self.submit(), time.monotonic()
        self.network.cut("worker-1")
        self.network.cut("client")
        wait("its unit is taken from the worker", self.expired)
        time.sleep(max(0.0, begin + CUT_SECONDS - time.monotonic()))
        self.assertTrue(sweep.running(), "the client is cut off as well")
        self.network.mend("worker-1")
        self.network.mend("client")
        self.report(f"cut for {CUT_SECONDS} s, leases of {LEASE_SECONDS} s", sweep, begin)

    def test_slow(self):
        begin = time.monotonic()
        for host in network.HOSTS:
            self.network.slow(host, RATE)
        sweep = self.submit()
        code = sweep.process.wait(PATIENCE_SECONDS)
        self.assertEqual(code, 0)
        carried = sum(self.network.carried_bytes(host) for host in network.HOSTS)
        more = f"{carried / 1e6:.1f} MB over the wires; "
        self.report(f"slowed to {RATE}", sweep, begin, more)

    def test_lossy(self):
        begin = time.monotonic()
        for host in network.HOSTS:
            self.network.lose(host, LOSS)
        sweep = self.submit()
        sweep.process.wait(PATIENCE_SECONDS)
        lost, came = map(sum, zip(*(self.network.dropped(host) for host in network.HOSTS)))
        self.assertGreater(lost, LOSS / 2 * came)
        more = f"{lost} of {came} packets lost; "
        self.report(f"{LOSS:.0%} lost each way", sweep, begin, more)

    def half_open(self, fault, end, device):
        """Nobody says goodbye: the sweep ends without the worker, whose line is given up in time;
        when it can be heard again it comes back by itself."""
        sweep, begin = self.submit(), time.monotonic()
        self.network.deafen(end, device)
        wait("its unit is taken from the worker", self.expired)
        self.report(f"half-open, {fault}", sweep, begin)
        wait("the silent line is given up", lambda: self.orchestrator.logged("worker left"))
        noticed = time.monotonic() - begin
        self.network.hear(end, device)
        healed = time.monotonic()
        joined = lambda: len(self.orchestrator.logged("worker joined"))
        wait("the worker is back", lambda: joined() == 3)
        back = time.monotonic() - healed
        print(
            f"given up {noticed:.1f} s after it fell silent; back {back:.1f} s after it was mended"
        )

    def test_half_open_worker_not_heard(self):
        self.half_open("the worker is not heard", network.HUB, "worker-1")

    def test_half_open_worker_does_not_hear(self):
        self.half_open("the worker hears nothing", "worker-1", "uplink")


if __name__ == "__main__":
    need("ip", "iptables", "tc", "openssl")
    network.need_namespaces()
    unittest.main(verbosity=2)
