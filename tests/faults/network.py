"""Hosts that are network namespaces: one for the orchestrator and the metrics service, one for each
worker and for the client, each joined to the first by a wire of its own that can be cut, made
slow, made to lose packets or made deaf in one direction. All traffic is mTLS with tokens.
"""

import os
import re
import subprocess

from cluster import BIN, run, skip

HUB = "hub"
HOSTS = ("worker-1", "worker-2", "client")  # each at the end of a wire of this name
SUBNET = "10.231.{}"


def need_namespaces():
    name = f"kvscope-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode != 0:
        skip(f"no network namespace can be made here: {made.stderr.strip()}")
    rule = ("iptables", "-A", "INPUT", "-m", "statistic", "--mode", "random")
    ruled = subprocess.run(
        ["ip", "netns", "exec", name, *rule, "--probability", "0.5", "-j", "DROP"],
        capture_output=True,
        text=True,
    )
    run("ip", "netns", "del", name)
    if ruled.returncode != 0:
        skip(f"iptables cannot drop packets here: {ruled.stderr.strip()}")


class Network:
    """The hosts and their wires; `test` takes them down."""

    def __init__(self, test):
        self.names = {host: f"kvscope-{os.getpid()}-{host}" for host in (HUB, *HOSTS)}
        for host, name in self.names.items():
            test.addCleanup(subprocess.run, ["ip", "netns", "del", name], capture_output=True)
            run("ip", "netns", "add", name)
            self.at(host, "ip", "link", "set", "lo", "up")
        for number, host in enumerate(HOSTS):
            subnet = SUBNET.format(number)
            self.at(HUB, "ip", "link", "add", host, "type", "veth", "peer", "name", "uplink")
            self.at(HUB, "ip", "link", "set", "uplink", "netns", self.names[host])
            for end, device, last in ((HUB, host, 1), (host, "uplink", 2)):
                self.at(end, "ip", "address", "add", f"{subnet}.{last}/24", "dev", device)
                self.at(end, "ip", "link", "set", device, "up")

    def inside(self, host):
        """What a command begins with that runs on the host."""
        return ("ip", "netns", "exec", self.names[host])

    def at(self, host, *command):
        return run(*self.inside(host), *command)

    def hub_from(self, host):
        """The hub's address for the host."""
        return SUBNET.format(HOSTS.index(host)) + ".1"

    def ends(self, host):
        """Both ends of the host's wire."""
        return ((HUB, host), (host, "uplink"))

    def cut(self, host):
        self.at(HUB, "ip", "link", "set", host, "down")

    def mend(self, host):
        self.at(HUB, "ip", "link", "set", host, "up")

    def slow(self, host, rate):
        for end, device in self.ends(host):
            bucket = ("tbf", "rate", rate, "burst", "8kb", "latency", "400ms")
            self.at(end, "tc", "qdisc", "add", "dev", device, "root", *bucket)

    def lose(self, host, probability):
        some = ("-m", "statistic", "--mode", "random", "--probability", probability)
        for end, device in self.ends(host):
            self.at(end, "iptables", "-A", "INPUT", "-i", device, *some, "-j", "DROP")

    def deafen(self, end, device):
        """What comes in over the wire is thrown away at this end; nothing is said about it."""
        self.at(end, "iptables", "-I", "INPUT", "-i", device, "-j", "DROP")

    def hear(self, end, device):
        self.at(end, "iptables", "-D", "INPUT", "-i", device, "-j", "DROP")

    def dropped(self, host):
        """Packets thrown away at either end of the host's wire so far, and packets that came."""
        lost = came = 0
        for end, device in self.ends(host):
            rules = self.at(end, "iptables", "-L", "INPUT", "-v", "-x", "-n")
            for line in rules.splitlines():
                if re.search(rf" DROP .* {device} ", line):
                    lost += int(line.split()[0])
            came += int(self.at(end, "cat", f"/sys/class/net/{device}/statistics/rx_packets"))
        return lost, came

    def carried_bytes(self, host):
        """Over the host's wire, in both directions."""
        counters = f"/sys/class/net/{host}/statistics"
        return sum(int(self.at(HUB, "cat", f"{counters}/{way}_bytes")) for way in ("rx", "tx"))


class Secrets:
    """Certificates of one root and tokens for every part, as docs/security.md makes them."""

    def __init__(self, folder, server_addresses):
        self.folder = folder
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        ca = (folder / "ca.crt", folder / "ca.key")
        run(
            *("openssl", "req", "-x509", *key, "-days", "2", "-subj", "/CN=root"),
            *("-keyout", ca[1], "-out", ca[0]),
        )
        names = {
            "server": ",".join(f"IP:{address}" for address in server_addresses),
            "worker": "DNS:worker",
            "client": "DNS:client",
        }
        for name, alternatives in names.items():
            request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
            extensions.write_text(f"subjectAltName={alternatives}\n")
            run(
                *("openssl", "req", *key, "-subj", f"/CN={name}"),
                *("-keyout", folder / f"{name}.key", "-out", request),
            )
            run(
                *("openssl", "x509", "-req", "-in", request, "-CA", ca[0], "-CAkey", ca[1]),
                *("-CAcreateserial", "-days", "2", "-extfile", extensions),
                *("-out", folder / f"{name}.crt"),
            )
        for name, role in (("worker", "worker"), ("client", "submit")):
            table = ("--name", name, "--role", role, "--file", folder / "tokens")
            token = run(BIN / "kvscope", "token", "new", *table)
            (folder / f"{name}.token").write_text(token)

    def certificate(self, name):
        return (
            *("--tls-cert", self.folder / f"{name}.crt", "--tls-key", self.folder / f"{name}.key"),
            *("--tls-ca", self.folder / "ca.crt"),
        )

    def of_server(self):
        tokens = ("--token-file", self.folder / "tokens")
        shown = ("--client-token-file", self.folder / "worker.token")
        return (*self.certificate("server"), *tokens, *shown)

    def of_worker(self):
        shown = ("--client-token-file", self.folder / "worker.token")
        return (*self.certificate("worker"), *shown)

    def of_client(self):
        return (*self.certificate("client"), "--token-file", self.folder / "client.token")
