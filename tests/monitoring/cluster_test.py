#!/usr/bin/env python3
"""A real Prometheus on a real cluster: while a sweep runs and a worker is killed, every query of
every dashboard and every selector of every rule must return series; names, labels and their number
keep the conventions; docs/metrics.md lists what the endpoints tell.

usage: KVSCOPE_SOURCE=. KVSCOPE_BIN=build/release/bin cluster_test.py
       with UPDATE_DOCS=1 it writes docs/metrics.md instead of comparing it
"""

import csv
import json
import math
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import yaml

from files import PROMETHEUS, SOURCE, dashboards, need, panels, rules, run, selectors

BIN = pathlib.Path(os.environ["KVSCOPE_BIN"]).resolve()
METRICS_PAGE = SOURCE / "docs" / "metrics.md"
SWEEP = {
    "name": "watched",
    "model": "pocket-llama",
    "datasets": [{"name": "knowledge", "scale": "pocket", "passages": 60, "seed": 3}],
    "regimes": ["agnostic", "aware"],
    "presses": ["snapkv(window_size=8)", "random"],
    "ratios": [0, 0.5, 0.9],
    "max_new_tokens": 12,
    "capture": {"consensus": True},
}
# What may differ from series to series of a family, and how often.
MOST_SERIES_OF_A_PROCESS = 1000
LABELS = {
    "service method code": "calls",
    "state outcome phase kind dtype": "fixed sets",
    "sweep name model dataset regime press ratio": "of the most recent sweeps",
    "version": "one",
    "le": "buckets",
}


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def get(url):
    with urllib.request.urlopen(url, timeout=20) as response:
        return response.read().decode()


class Family:
    def __init__(self, name):
        self.name, self.type, self.help, self.labels, self.series = name, "", "", set(), 0


def parse(page):
    """The families of a page in Prometheus' text format, by name."""
    families = {}
    for line in page.splitlines():
        if line.startswith(("# HELP ", "# TYPE ")):
            _, word, name, text = line.split(" ", 3)
            family = families.setdefault(name, Family(name))
            setattr(family, word.lower(), text)
        elif line:
            name = re.match(r"[a-zA-Z_:][\w:]*", line).group()
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            family = families[name if name in families else base]
            family.series += 1
            family.labels |= set(re.findall(r'[{,](\w+)="', line)) - {"le", "quantile"}
    return families


class Cluster:
    """The three services, two workers and Prometheus, all of this test's own starting."""

    def __init__(self, folder):
        self.folder, self.processes = folder, {}
        ports = free_ports(5)
        self.endpoints = dict(zip(["metrics", "orchestrator", "worker-1", "worker-2"], ports))
        self.prometheus = f"http://127.0.0.1:{ports[4]}"
        self.prometheus_port = ports[4]

    def begin(self):
        folder = self.folder
        metrics = self.serve("metrics", "kvscope-metrics", "--store", folder / "features")
        orchestrator = self.serve(
            "orchestrator",
            "kvscope-orchestrator",
            *("--store", folder / "kvscope.db", "--models-dir", SOURCE / "models"),
            *("--metrics", metrics, "--lease", 4, "--heartbeat", 0.5),
        )
        self.metrics, self.orchestrator = metrics, orchestrator
        self.work("worker-1")
        self.work("worker-2")
        self.scrape(self.prometheus_port)

    def start(self, name, *command):
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(
                list(map(str, command)), cwd=self.folder, stdout=log, stderr=log
            )

    def serve(self, name, program, *flags):
        port_file = self.folder / f"{name}.port"
        port_file.unlink(missing_ok=True)
        self.start(
            name,
            BIN / program,
            *("--listen", "127.0.0.1:0", "--port-file", port_file, "--log-level", "debug"),
            *("--prometheus", f"127.0.0.1:{self.endpoints[name]}"),
            *flags,
        )
        return f"127.0.0.1:{wait(lambda: port_file.exists() and port_file.read_text().strip())}"

    def work(self, name):
        services = ("--orchestrator", self.orchestrator, "--metrics", self.metrics)
        models = ("--models-dir", SOURCE / "models", "--threads", 1)
        self.serve(name, "kvscope-inference", *services, *models)

    def kill(self, name):
        self.processes[name].kill()
        self.processes[name].wait()

    def scrape(self, port):
        config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(PROMETHEUS / "rules" / "*.yaml")]
        targets = {"prometheus": [f"127.0.0.1:{port}"]}
        for name, endpoint in self.endpoints.items():
            job = "kvscope-" + name.split("-")[0]
            targets.setdefault(job, []).append(f"127.0.0.1:{endpoint}")
        for job in config[
            "scrape_configs"
        ]:  # the names of docker/compose.yaml are not to be had here
            job.pop("dns_sd_configs", None)
            job["static_configs"] = [{"targets": targets.pop(job["job_name"])}]
        assert not targets, f"prometheus.yml scrapes no {targets}"
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.start(
            "prometheus",
            *("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"),
            f"--web.listen-address=127.0.0.1:{port}",
        )
        wait(lambda: self.query("up"))

    def query(self, expression):
        url = f"{self.prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            answer = json.loads(get(url))
        except urllib.error.HTTPError as error:
            if error.code == 503:  # it is still starting
                return []
            raise AssertionError(f"{expression}\n{error.read().decode()}") from None
        except OSError:  # it is not up yet
            return []
        return answer["data"]["result"]

    def value(self, expression):
        result = self.query(expression)
        return float(result[0]["value"][1]) if result else 0

    def page(self, name):
        return get(f"http://127.0.0.1:{self.endpoints[name]}/metrics")

    def stop(self):
        for name in self.processes:
            self.kill(name)


def wait(ready, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := ready()):
        if time.monotonic() > deadline:
            raise AssertionError("it did not come to pass within a minute")
        time.sleep(0.1)
    return found


def run_sweep(cluster):
    """A sweep of twelve cells, during which a worker is killed at work and started again."""
    (cluster.folder / "sweep.yaml").write_text(json.dumps(SWEEP))  # JSON is YAML
    sweep = subprocess.Popen(
        [BIN / "kvscope", "run", "sweep.yaml", "--connect", cluster.orchestrator, "--out", "out"],
        cwd=cluster.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        wait(lambda: "kvscope_orchestrator_leases 2\n" in cluster.page("orchestrator"))
        cluster.kill("worker-1")
        wait(lambda: cluster.value('kvscope_orchestrator_leases_ended_total{outcome="lost"}') > 0)
        wait(lambda: cluster.query('up{job="kvscope-worker"} == 0'))
        cluster.work("worker-1")
        _, said = sweep.communicate(timeout=150)
    finally:
        sweep.kill()
    assert sweep.returncode == 0, said.decode()
    wait(lambda: cluster.value('kvscope_orchestrator_sweeps{state="succeeded"}') == 1)
    wait(lambda: cluster.value('sum(kvscope_sweep_cells{state="succeeded"})') == 12)
    wait(lambda: cluster.value('sum(up{job="kvscope-worker"})') == 2)
    time.sleep(3)  # rules are evaluated once more


def setUpModule():
    global CLUSTER
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kvscope-monitoring-"))
    unittest.addModuleCleanup(shutil.rmtree, folder, ignore_errors=True)
    CLUSTER = Cluster(folder)
    unittest.addModuleCleanup(CLUSTER.stop)
    CLUSTER.begin()
    run_sweep(CLUSTER)


class Monitoring(unittest.TestCase):
    def series_of(self, expression):
        result = CLUSTER.query(expression)
        self.assertTrue(result, f"no series: {expression}")
        values = [float(series["value"][1]) for series in result]
        self.assertFalse(all(map(math.isnan, values)), f"no number: {expression}")
        return result

    def test_every_query_of_every_dashboard_returns_series(self):
        count = 0
        for board in dashboards():
            for panel in panels(board):
                for target in panel["targets"]:
                    text = target["expr"].replace("$__rate_interval", "2m").replace("$sweep", ".+")
                    with self.subTest(board=board["title"], panel=panel["title"]):
                        self.series_of(text)
                        count += 1
            for variable in board["templating"]["list"]:
                _, metric, label = re.split(r"[(,)]\s*", variable["definition"])[:3]
                self.assertIn(label, self.series_of(metric)[0]["metric"])
        print(f"{count} queries of {len(dashboards())} dashboards returned series")

    def test_every_rule_has_something_to_go_by(self):
        for rule in rules("recording.yaml"):
            with self.subTest(rule=rule["record"]):
                self.series_of(rule["expr"])
                self.series_of(rule["record"])
        for rule in rules("alerts.yaml"):
            CLUSTER.query(rule["expr"])
            self.assertTrue(selectors(rule["expr"]))
            for selector in selectors(rule["expr"]):
                with self.subTest(alert=rule["alert"]):
                    self.series_of(selector)

    def test_the_rules_went_without_errors(self):
        groups = json.loads(get(f"{CLUSTER.prometheus}/api/v1/rules"))["data"]["groups"]
        for rule in [rule for group in groups for rule in group["rules"]]:
            self.assertEqual(rule["health"], "ok", rule)

    def test_what_is_told_is_what_happened(self):
        value = CLUSTER.value
        with (CLUSTER.folder / "out" / "answers.csv").open(newline="") as answers:
            rows = sum(1 for _ in csv.DictReader(answers))
        self.assertEqual(value('sum(kvscope_sweep_streams{state="done"})'), rows)
        self.assertEqual(value('sum(kvscope_sweep_streams{state="open"})'), 0)
        units = value('sum(kvscope_sweep_units{state="done"})')
        self.assertGreater(units, 4)
        ended = 'kvscope_orchestrator_leases_ended_total{outcome="%s"}'
        self.assertEqual(value(ended % "recorded"), units)
        self.assertEqual(value(ended % "lost"), 1)
        self.assertEqual(value("kvscope_orchestrator_retries_total"), 1)
        self.assertEqual(value("kvscope_orchestrator_duplicates_refused_total"), 0)
        self.assertEqual(value("kvscope_orchestrator_leases_given_total"), units + 1)
        self.assertEqual(value("kvscope_orchestrator_queue_units"), 0)
        self.assertEqual(value("kvscope_orchestrator_workers"), 2)
        self.assertGreater(value("kvscope_store_commit_seconds_count"), units)
        self.assertGreater(value("kvscope_store_wal_bytes"), 0)
        for expression, low, high in (
            ('kvscope_sweep_f1_ratio{press="random",ratio="0"}', 0.5, 1),
            ('kvscope_sweep_f1_ratio{press="random",ratio="0.9"}', 0, 0.4),
            ('kvscope_sweep_ger_ratio{press="random",ratio="0"}', 0, 0),
            ('kvscope_sweep_kept_ratio{press="random",ratio="0.5"}', 0.45, 0.55),
            ('kvscope_sweep_compression_ratio{press="random",ratio="0.9"}', 0.9, 0.9),
            ("kvscope:kv_kept:ratio_rate5m", 0.45, 0.65),  # of 0, 0.5 and 0.9
            ("max(instance_dtype:kvscope_inference_gemm:utilization_rate5m)", 0.001, 1.1),
            ('min(kvscope_inference_gemm_peak_operations_per_second{dtype="float32"})', 1e9, 1e14),
            ("min(kvscope_inference_memory_peak_bytes_per_second)", 1e8, 1e13),
        ):
            with self.subTest(expression):
                found = value(expression)
                self.assertLessEqual(low, found)
                self.assertLessEqual(found, high)

    def test_logs_are_json_with_the_ids_of_what_they_tell(self):
        lines = {}
        for name in ("orchestrator", "worker-1", "worker-2", "metrics"):
            for text in (CLUSTER.folder / f"{name}.log").read_text().splitlines():
                line = json.loads(text)
                self.assertTrue({"time", "level", "message"} <= line.keys(), text)
                lines.setdefault(line["message"], []).append(line)
        [submitted] = lines["sweep submitted"]
        self.assertTrue(submitted["request"])
        for message in ("sweep running", "sweep succeeded"):
            self.assertEqual([line["sweep"] for line in lines[message]], [submitted["sweep"]])
        leased = {line["unit"] for line in lines["unit leased"]}
        self.assertEqual({line["sweep"] for line in lines["unit leased"]}, {submitted["sweep"]})
        self.assertEqual({line["unit"] for line in lines["unit ended"]}, leased)
        self.assertLessEqual({line["unit"] for line in lines["unit begun"]}, leased)
        self.assertTrue(all(line["method"].startswith("/") for line in lines["call ended"]))


class Pages(unittest.TestCase):
    """What each endpoint tells by itself."""

    @classmethod
    def setUpClass(cls):
        cls.pages = {name: CLUSTER.page(name) for name in CLUSTER.endpoints}

    def test_promtool_finds_nothing_to_say(self):
        for name, page in self.pages.items():
            ours = "\n".join(line for line in page.splitlines() if "exposer_" not in line) + "\n"
            result = run("promtool", "check", "metrics", stdin=ours)
            self.assertEqual(result.returncode, 0, f"{name}\n{result.stdout}{result.stderr}")

    def test_names_and_labels_keep_the_conventions(self):
        allowed = set(" ".join(LABELS).split())
        for page in self.pages.values():
            for family in parse(page).values():
                if family.name.startswith("exposer_"):  # of the library that serves the page
                    continue
                self.assertRegex(family.name, r"^(kvscope|process)_[a-z0-9_]+$")
                self.assertTrue(family.help.endswith("."), family.name)
                counts = family.type == "counter"
                self.assertEqual(family.name.endswith("_total"), counts, family.name)
                self.assertNotRegex(family.name, r"_(ms|msec|milliseconds|kb|mb|percent)(_|$)")
                if family.type == "histogram":
                    self.assertTrue(family.name.endswith("_seconds"))
                self.assertLessEqual(family.labels, allowed, family.name)

    def test_the_number_of_series_is_bounded(self):
        for name, page in self.pages.items():
            series = sum(family.series for family in parse(page).values())
            self.assertLess(series, MOST_SERIES_OF_A_PROCESS, name)
            print(f"{name}: {series} series")

    def test_the_documentation_lists_them_all(self):
        text = METRICS_PAGE.read_text() if METRICS_PAGE.exists() else ""
        head = text.split("\n## ")[0].rstrip() + "\n"
        wanted = head + self.tables()
        if os.environ.get("UPDATE_DOCS"):
            METRICS_PAGE.write_text(wanted)
        self.assertEqual(text if not os.environ.get("UPDATE_DOCS") else wanted, wanted)

    def tables(self):
        families = {name: parse(page) for name, page in self.pages.items()}
        every = set.intersection(*(set(of) for of in families.values()))
        sections = [("Every process", families["metrics"], every)]
        for title, name in (
            ("Orchestrator", "orchestrator"),
            ("Worker", "worker-1"),
            ("Metrics service", "metrics"),
        ):
            sections.append((title, families[name], set(families[name]) - every))
        lines = []
        for title, of, names in sections:
            lines += [f"\n## {title}\n", "| name | type | labels | meaning |", "|---|---|---|---|"]
            for name in sorted(name for name in names if not name.startswith("exposer_")):
                family = of[name]
                labels = ", ".join(f"`{label}`" for label in sorted(family.labels))
                meaning = family.help.replace("|", "\\|")
                lines.append(f"| `{name}` | {family.type} | {labels} | {meaning} |")
        return "\n".join(lines) + "\n"


if __name__ == "__main__":
    need("prometheus", "promtool")
    unittest.main(verbosity=2)
