#!/usr/bin/env python3
"""Renders deploy/kubernetes with kustomize and holds it to the API's schemas, to itself, to the
images and to the programs: selectors and labels, ports of probes, containers and Services, policies
and what they select, names of images and Dockerfile stages, variables and flags."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["KVSCOPE_SOURCE"])
sys.path.insert(0, str(SOURCE / "tests/client/python"))

import environment  # noqa: E402

environment.enter(
    "kubernetes", ("kubernetes-validate==1.37.0", "PyYAML==6.0.4", "jsonschema==4.26.0")
)

import custom_resources  # noqa: E402
import images  # noqa: E402
import jsonschema  # noqa: E402
import kubernetes_validate  # noqa: E402
import yaml  # noqa: E402

KUBERNETES = SOURCE / "deploy/kubernetes"
# What can be applied; the last puts all components together.
OVERLAYS = ("base", "overlays/gpu", "overlays/monitoring", "overlays/tls", "everything")
WORKLOADS = ("Deployment", "StatefulSet")


def kustomize(folder):
    command = ["kubectl", "kustomize", str(folder), "--load-restrictor=LoadRestrictionsNone"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"{folder}: {done.stderr}")
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def render(overlay):
    """The objects of an overlay."""
    if overlay != "everything":
        return kustomize(KUBERNETES / overlay)
    with tempfile.TemporaryDirectory() as folder:
        link = pathlib.Path(folder, "kubernetes")
        shutil.copytree(KUBERNETES, link)
        whole = link / "overlays/everything"
        whole.mkdir()
        components = [f"../../components/{name}" for name in ("gpu", "models", "tls", "monitoring")]
        (whole / "kustomization.yaml").write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "kustomize.config.k8s.io/v1beta1",
                    "kind": "Kustomization",
                    "namespace": "kvscope",
                    "resources": ["../../base"],
                    "components": components,
                }
            )
        )
        return kustomize(whole)


class Objects:
    """What an overlay renders to, by kind."""

    def __init__(self, overlay):
        self.overlay = overlay
        self.encrypted = overlay in ("overlays/tls", "everything")
        self.all = render(overlay)

    def of(self, *kinds):
        return [one for one in self.all if one["kind"] in kinds]

    def named(self, kind, name):
        (found,) = (one for one in self.of(kind) if one["metadata"]["name"] == name)
        return found


def labels_of(workload):
    return workload["spec"]["template"]["metadata"]["labels"]


def container_of(workload):
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    return container


def ports_of(workload):
    return {port["name"]: port["containerPort"] for port in container_of(workload)["ports"]}


def selects(selector, labels):
    return all(labels.get(key) == value for key, value in selector.items())


class Kubernetes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.overlays = [Objects(overlay) for overlay in OVERLAYS]

    def workloads(self):
        for objects in self.overlays:
            for workload in objects.of(*WORKLOADS):
                name = f"{objects.overlay}: {workload['metadata']['name']}"
                yield name, objects, workload

    def test_every_object_keeps_to_the_api(self):
        for objects in self.overlays:
            for one in objects.all:
                name = f"{objects.overlay}: {one['kind']} {one['metadata']['name']}"
                with self.subTest(name):
                    if one["kind"] in custom_resources.SCHEMAS:
                        jsonschema.validate(one, custom_resources.SCHEMAS[one["kind"]])
                    else:
                        kubernetes_validate.validate(one, "1.37", strict=True)

    def test_the_validation_has_teeth(self):
        orchestrator = self.overlays[0].named("StatefulSet", "orchestrator")
        orchestrator = yaml.safe_load(yaml.safe_dump(orchestrator))
        container_of(orchestrator)["readinesProbe"] = {}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(orchestrator, "1.37", strict=True)
        scaled = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject"}
        scaled |= {"metadata": {"name": "x"}, "spec": {"triggerz": []}}
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate(scaled, custom_resources.SCHEMAS["ScaledObject"])

    def test_everything_lies_in_the_namespace(self):
        for objects in self.overlays:
            for one in objects.all:
                if one["kind"] != "Namespace":
                    self.assertEqual(one["metadata"].get("namespace"), "kvscope", one)

    def test_a_workload_selects_its_own_pods_and_no_others(self):
        for name, objects, workload in self.workloads():
            selector = workload["spec"]["selector"]["matchLabels"]
            picked = [
                other["metadata"]["name"]
                for other in objects.of(*WORKLOADS)
                if selects(selector, labels_of(other))
            ]
            self.assertEqual(picked, [workload["metadata"]["name"]], name)

    def test_services_and_budgets_select_pods(self):
        for objects in self.overlays:
            for one in objects.of("Service", "PodDisruptionBudget"):
                selector = one["spec"]["selector"]
                selector = selector.get("matchLabels", selector)
                picked = [w for w in objects.of(*WORKLOADS) if selects(selector, labels_of(w))]
                self.assertTrue(picked, one["metadata"]["name"])
                for port in one["spec"].get("ports", []):
                    for workload in picked:
                        self.assertEqual(ports_of(workload)[port["targetPort"]], port["port"])

    def test_probes_ask_the_port_that_is_served(self):
        for name, objects, workload in self.workloads():
            container = container_of(workload)
            image = container["image"].split(":")[0]
            stage = images.variables_of(images.stage_of(image))
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if objects.encrypted:
                    command = [images.PROGRAMS[image], "healthcheck"]
                    self.assertEqual(container[probe]["exec"]["command"], command, name)
                else:
                    port = ports_of(workload)["grpc"]
                    self.assertEqual(container[probe]["grpc"], {"port": port}, name)
            for variable, port in (
                ("KVSCOPE_LISTEN", "grpc"),
                ("KVSCOPE_PROMETHEUS", "prometheus"),
            ):
                self.assertEqual(stage[variable], f"0.0.0.0:{ports_of(workload)[port]}", name)

    def test_encrypted_means_encrypted(self):
        """With TLS every pod has it, and reads nothing that is not mounted."""
        for name, objects, workload in self.workloads():
            variables = {one["name"]: one.get("value") for one in container_of(workload)["env"]}
            self.assertEqual(
                variables["KVSCOPE_INSECURE"], str(not objects.encrypted).lower(), name
            )
            if not objects.encrypted:
                continue
            mounts = [mount["mountPath"] for mount in container_of(workload)["volumeMounts"]]
            files = [value for value in variables.values() if (value or "").startswith("/secrets/")]
            self.assertGreaterEqual(len(files), 4, name)
            for file in files:
                self.assertIn(str(pathlib.PurePath(file).parent), mounts, f"{name}: {file}")

    def test_images_are_stages_of_the_dockerfile(self):
        for name, _, workload in self.workloads():
            image, tag = container_of(workload)["image"].split(":")
            self.assertIn(image, images.PROGRAMS, name)
            self.assertIn(images.stage_of(image), images.stages(), name)
            self.assertEqual(tag, images.version(), name)

    def test_variables_are_flags_of_the_program(self):
        for name, _, workload in self.workloads():
            container = container_of(workload)
            image = container["image"].split(":")[0]
            known = images.variables_read_by(image)
            stage = images.variables_of(images.stage_of(image))
            given = [entry["name"] for entry in container["env"]] + list(stage)
            for variable in given:
                if variable.startswith("KVSCOPE_"):
                    self.assertIn(variable, known, name)

    def test_addresses_are_services(self):
        for name, objects, workload in self.workloads():
            for entry in container_of(workload)["env"]:
                if entry["name"] not in ("KVSCOPE_ORCHESTRATOR", "KVSCOPE_METRICS"):
                    continue
                host, port = entry["value"].split(":")
                service = objects.named("Service", host)
                ports = [one["port"] for one in service["spec"]["ports"] if one["name"] == "grpc"]
                self.assertEqual(ports, [int(port)], name)

    def test_pods_are_restricted(self):
        for name, _, workload in self.workloads():
            pod = workload["spec"]["template"]["spec"]
            container = container_of(workload)
            self.assertEqual(pod["securityContext"]["runAsUser"], 10001, name)
            self.assertIs(pod["securityContext"]["runAsNonRoot"], True, name)
            self.assertEqual(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault")
            self.assertIs(pod["automountServiceAccountToken"], False, name)
            security = container["securityContext"]
            self.assertIs(security["allowPrivilegeEscalation"], False, name)
            self.assertIs(security["readOnlyRootFilesystem"], True, name)
            self.assertEqual(security["capabilities"], {"drop": ["ALL"]}, name)
            self.assertGreater(pod["terminationGracePeriodSeconds"], 30, name)
            self.assertIn("memory", container["resources"]["limits"], name)
            writable = [
                mount["mountPath"]
                for mount in container.get("volumeMounts", [])
                if not mount.get("readOnly")
            ]
            self.assertEqual(writable, ["/data"] if workload["kind"] == "StatefulSet" else [], name)

    def test_policies_let_through_what_is_dialled_and_no_more(self):
        for objects in self.overlays:
            workloads = {w["metadata"]["name"]: w for w in objects.of(*WORKLOADS)}
            workers = [name for name in workloads if name.startswith("worker")]
            for caller in workloads:
                for callee in workloads:
                    wanted = set()
                    if caller in workers and callee == "orchestrator":
                        wanted = {7400}
                    if callee == "metrics" and caller != "metrics":
                        wanted = {7402}
                    out = allowed(objects, "egress", workloads[caller], workloads[callee])
                    into = allowed(objects, "ingress", workloads[callee], workloads[caller])
                    path = f"{objects.overlay}: {caller} to {callee}"
                    self.assertEqual(out & into, wanted, path)
            self.assertEqual(objects.named("NetworkPolicy", "deny")["spec"]["podSelector"], {})

    def test_monitors_select_services_and_name_the_jobs(self):
        jobs = re.findall(
            r"job_name: (kvscope-\S+)", (SOURCE / "deploy/prometheus/prometheus.yml").read_text()
        )
        for objects in self.overlays:
            monitors = objects.of("ServiceMonitor")
            if not monitors:
                continue
            named = []
            for monitor in monitors:
                selector = monitor["spec"]["selector"]["matchLabels"]
                (service,) = (
                    one
                    for one in objects.of("Service")
                    if selects(selector, one["metadata"]["labels"])
                )
                (endpoint,) = monitor["spec"]["endpoints"]
                names = [port["name"] for port in service["spec"]["ports"]]
                self.assertIn(endpoint["port"], names)
                named.append(endpoint["relabelings"][0]["replacement"])
            self.assertEqual(sorted(named), sorted(jobs))

    def test_the_scaler_scales_the_workers_by_metrics_that_exist(self):
        sources = "".join(
            path.read_text() for path in (SOURCE / "services").glob("*/service/*metrics.cc")
        )
        for objects in self.overlays:
            for scaler in objects.of("ScaledObject"):
                target = scaler["spec"]["scaleTargetRef"]
                workload = objects.named(target["kind"], target["name"])
                self.assertNotIn("replicas", workload["spec"], "KEDA and kubectl would quarrel")
                self.assertGreaterEqual(scaler["spec"]["minReplicaCount"], 1)
                query = scaler["spec"]["triggers"][0]["metadata"]["query"]
                for metric in re.findall(r"kvscope_\w+", query):
                    self.assertIn(f'"{metric}"', sources)

    def test_rules_are_those_of_prometheus(self):
        make_rules = KUBERNETES / "make_rules.py"
        done = subprocess.run(
            [sys.executable, make_rules, "--check"], capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stdout)


def allowed(objects, direction, workload, peer):
    """Ports that the policies of `workload` let through to (egress) or from (ingress) `peer`."""
    ports = set()
    for policy in objects.of("NetworkPolicy"):
        if not selects(policy["spec"]["podSelector"].get("matchLabels", {}), labels_of(workload)):
            continue
        for rule in policy["spec"].get(direction, []):
            for side in rule["to" if direction == "egress" else "from"]:
                if "namespaceSelector" in side:
                    continue  # other namespaces: the name server, clients, Prometheus
                if selects(side["podSelector"]["matchLabels"], labels_of(peer)):
                    ports |= {port["port"] for port in rule["ports"]}
    return ports


if __name__ == "__main__":
    if shutil.which("kubectl") is None:
        print("SKIPPED: there is no kubectl, which has kustomize built in")
        sys.exit(environment.SKIPPED)
    unittest.main(verbosity=2)
