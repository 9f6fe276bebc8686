#!/usr/bin/env python3
"""Builds every image of docker/Dockerfile and runs each as an untrusting host would: read-only root
file system, no capabilities, no new privileges, memory and process limits, and nothing in /usr/bin
and /usr/sbin, so that a shell or tool that the run needed would be missed."""

import pathlib
import unittest

import containers

HARDENED = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=1g"]
HARDENED += ["--pids-limit=256", "--tmpfs=/usr/bin", "--tmpfs=/usr/sbin"]
SERVERS = {
    "orchestrator": "kvscope-orchestrator",
    "metrics": "kvscope-metrics",
    "worker": "kvscope-inference",
    "worker-cuda": "kvscope-inference",
}


class Images(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = containers.Engine()
        cls.engine.build_all()

    def start(self, target, *arguments):
        """A hardened container of an image, removed at the test's end; returns its id."""
        done = self.engine.podman(
            "run", "--detach", *HARDENED, *arguments, containers.image_of(target)
        )
        container = done.stdout.strip()
        self.addCleanup(
            self.engine.podman, "rm", "--force", "--volumes", "--time=0", container, check=False
        )
        return container

    def is_healthy(self, container):
        self.assertTrue(
            self.engine.inspect(container)["State"]["Running"],
            self.engine.podman("logs", container).stderr[-2000:],
        )
        check = self.engine.podman("healthcheck", "run", container, check=False)
        return check.returncode == 0

    def process_of(self, container):
        """/proc/PID of the container's first process, as the host sees it."""
        return pathlib.Path("/proc", str(self.engine.inspect(container)["State"]["Pid"]))

    def program_of(self, container):
        return str((self.process_of(container) / "exe").readlink())

    def status_of(self, container):
        lines = (self.process_of(container) / "status").read_text().splitlines()
        return {name: value.split() for name, value in (line.split(":", 1) for line in lines)}

    def check_server(self, target):
        program = SERVERS[target]
        container = self.start(target, "--network=none", "--env=KVSCOPE_INSECURE=true")
        seconds = containers.wait_for(lambda: self.is_healthy(container), 60, f"{target} healthy")
        status = self.status_of(container)
        self.assertEqual(set(status["Uid"]), {"10001"})
        self.assertEqual(set(status["Gid"]), {"10001"})
        self.assertEqual(status["CapEff"], ["0000000000000000"])
        self.assertEqual(status["CapBnd"], ["0000000000000000"])
        self.assertEqual(status["NoNewPrivs"], ["1"])
        self.assertEqual(status["Seccomp"], ["2"])
        self.assertEqual(self.program_of(container), f"/usr/local/bin/{program}")
        processes = self.engine.podman("top", container, "pid").stdout.split()[1:]
        self.assertEqual(len(processes), 1, "the container runs its program and nothing else")
        self.check_files_are_read_only(container)
        self.engine.podman("exec", container, program, "healthcheck")
        self.check_health_follows_the_server(container, program)
        containers.say(f"{target}: healthy {seconds:.1f} s after its start, hardened")

    def check_files_are_read_only(self, container):
        info = self.engine.inspect(container)
        self.assertTrue(info["HostConfig"]["ReadonlyRootfs"])
        root = self.process_of(container) / "root"
        with self.assertRaises(OSError):  # as root of the host, through the container's own mounts
            (root / "planted").write_text("x")

    def check_health_follows_the_server(self, container, program):
        """Where no server listens the check says so, and SIGTERM ends the server with 0."""
        dead = self.engine.podman(
            "exec", container, program, "healthcheck", "127.0.0.1:1", check=False
        )
        self.assertEqual(dead.returncode, 1, dead.stderr)
        self.assertIn("127.0.0.1:1", dead.stderr)
        self.engine.podman("kill", "--signal=TERM", container)
        code = self.engine.podman("wait", container, timeout=60).stdout.strip()
        self.assertEqual(code, "0", self.engine.podman("logs", container).stderr[-2000:])

    def test_the_orchestrator_serves_hardened(self):
        self.check_server("orchestrator")

    def test_the_metrics_service_serves_hardened(self):
        self.check_server("metrics")

    def test_the_worker_serves_hardened(self):
        self.check_server("worker")

    def test_the_gpu_worker_serves_hardened(self):
        self.check_server("worker-cuda")

    def test_the_command_line_runs_hardened(self):
        image = containers.image_of("cli")
        for arguments in (["--version"], ["presses"], ["plan", "sweeps/pocket.yaml"]):
            done = self.engine.podman(
                "run", "--rm", "--network=none", *HARDENED, image, *arguments, timeout=120
            )
            self.assertTrue(done.stdout.strip(), arguments)

    def test_every_image_says_what_it_is(self):
        for target in containers.TARGETS:
            config = self.engine.inspect(containers.image_of(target), "image")["Config"]
            self.assertEqual(config["User"], "10001:10001", target)
            labels = config["Labels"]
            for label in ("title", "description", "version", "revision", "licenses"):
                self.assertTrue(labels.get(f"org.opencontainers.image.{label}"), (target, label))
            if target in SERVERS:
                self.assertIn("healthcheck", str(self.health_of(target)), target)

    def health_of(self, target):
        info = self.engine.inspect(containers.image_of(target), "image")
        return info.get("HealthCheck") or info.get("Healthcheck") or info["Config"]["Healthcheck"]

    def test_an_image_holds_no_compiler_and_no_source(self):
        for target in containers.TARGETS:
            done = self.engine.podman(
                "run", "--rm", "--network=none", "--user=0", "--entrypoint=find",
                containers.image_of(target), "/", "-xdev",
                "(", "-name", "*.cc", "-o", "-name", "cc1plus", "-o", "-name", "*.safetensors", ")",
            )  # fmt: skip
            found = done.stdout.split()
            models = [path for path in found if path.endswith(".safetensors")]
            self.assertEqual([path for path in found if path not in models], [], target)
            self.assertEqual(len(models), 0 if target == "metrics" else 2, target)


if __name__ == "__main__":
    unittest.main(verbosity=2)
