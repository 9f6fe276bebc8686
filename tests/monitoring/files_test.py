#!/usr/bin/env python3
"""The files of Prometheus and Grafana by themselves: rules hold, dashboards fit, names agree.

usage: KVSCOPE_SOURCE=. files_test.py
"""

import re
import sys
import unittest

import yaml

from files import GRAFANA, PROMETHEUS, SOURCE, dashboards, need, panels, rules, run, selectors


class Rules(unittest.TestCase):
    def promtool(self, *arguments):
        result = run("promtool", *arguments)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_configuration_and_rules_are_sound(self):
        self.promtool("check", "config", PROMETHEUS / "prometheus.yml")
        self.promtool("check", "rules", *sorted((PROMETHEUS / "rules").glob("*.yaml")))

    def test_rules_do_what_their_tests_say(self):
        self.promtool("test", "rules", *sorted((PROMETHEUS / "tests").glob("*.yaml")))

    def test_every_alert_is_tested_both_ways(self):
        cases = yaml.safe_load((PROMETHEUS / "tests" / "alerts_test.yaml").read_text())["tests"]
        tested = {
            (c["alertname"], bool(c["exp_alerts"])) for t in cases for c in t["alert_rule_test"]
        }
        for rule in rules("alerts.yaml"):
            self.assertIn((rule["alert"], True), tested)
            self.assertIn((rule["alert"], False), tested)

    def test_every_recording_rule_is_tested_and_used(self):
        tests = (PROMETHEUS / "tests" / "recording_test.yaml").read_text()
        users = (PROMETHEUS / "rules" / "alerts.yaml").read_text() + "".join(
            target["expr"]
            for board in dashboards()
            for p in panels(board)
            for target in p["targets"]
        )
        for rule in rules("recording.yaml"):
            self.assertIn(rule["record"], tests)
            self.assertIn(rule["record"], users)

    def test_every_alert_says_what_to_do(self):
        page = SOURCE / "docs" / "operations.md"
        headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
        anchors = {
            re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-")
            for heading in headings
        }
        for rule in rules("alerts.yaml"):
            self.assertIn(rule["labels"]["severity"], ("warning", "critical"))
            notes = rule["annotations"]
            self.assertTrue(notes["summary"] and notes["description"])
            link, anchor = notes["runbook_url"].split("#")
            self.assertEqual(link, "docs/operations.md")
            self.assertEqual(anchor, rule["alert"].lower())
            self.assertIn(anchor, anchors)


class Dashboards(unittest.TestCase):
    def test_the_files_are_what_their_source_writes(self):
        result = run(sys.executable, GRAFANA / "make_dashboards.py", "--check")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_ids_are_unique_and_panels_do_not_overlap(self):
        boards = dashboards()
        self.assertEqual(len({board["uid"] for board in boards}), len(boards))
        for board in boards:
            ids = [panel["id"] for panel in board["panels"]]
            self.assertEqual(len(set(ids)), len(ids), board["title"])
            taken = {}
            for panel in board["panels"]:
                place = panel["gridPos"]
                self.assertLessEqual(place["x"] + place["w"], 24)
                for x in range(place["x"], place["x"] + place["w"]):
                    for y in range(place["y"], place["y"] + place["h"]):
                        other = taken.setdefault((x, y), panel["title"])
                        self.assertEqual(other, panel["title"], f"{board['title']}: at {x}, {y}")

    def test_the_data_source_is_the_provisioned_one(self):
        text = (GRAFANA / "provisioning" / "datasources" / "prometheus.yaml").read_text()
        provisioned = yaml.safe_load(text)["datasources"]
        uids = {source["uid"]: source["type"] for source in provisioned}
        for board in dashboards():
            users = panels(board) + board["templating"]["list"]
            users += [target for panel in panels(board) for target in panel["targets"]]
            for user in users:
                self.assertEqual(uids.get(user["datasource"]["uid"]), user["datasource"]["type"])

    def test_panels_have_units_and_limits_and_say_what_they_show(self):
        for board in dashboards():
            self.assertTrue(board["description"])
            with_limits = 0
            for panel in panels(board):
                defaults = panel["fieldConfig"]["defaults"]
                self.assertTrue(defaults["unit"], panel["title"])
                self.assertTrue(panel["title"])
                with_limits += len(defaults["thresholds"]["steps"]) > 1
                values = [step["value"] for step in defaults["thresholds"]["steps"]]
                self.assertIsNone(values[0])
                self.assertEqual(values[1:], sorted(values[1:]), panel["title"])
            self.assertGreater(with_limits, 0, board["title"])

    def test_variables_are_used(self):
        for board in dashboards():
            text = str([target["expr"] for panel in panels(board) for target in panel["targets"]])
            names = set(re.findall(r"\$(\w+)", text)) - {"__rate_interval"}
            self.assertEqual(names, {v["name"] for v in board["templating"]["list"]})


class Selectors(unittest.TestCase):
    def test_are_found_whole(self):
        text = (
            'sum by (a) (rate(kvscope_x_total{b=~"c|d"}[5m])) / on (process) kvscope:y:rate5m > 0'
        )
        self.assertEqual(selectors(text), ["kvscope:y:rate5m", 'kvscope_x_total{b=~"c|d"}'])
        self.assertEqual(
            selectors('phase:kvscope_p:rate5m{a="b"} + up{job="j"}'),
            ['phase:kvscope_p:rate5m{a="b"}', 'up{job="j"}'],
        )


if __name__ == "__main__":
    need("promtool")
    unittest.main()
