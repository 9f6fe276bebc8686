#!/usr/bin/env python3
"""Holds docs/operations.md to the rest of the tree: every alert has its section and every section
its alert; programs, flags, files and links that it names are there."""

import os
import pathlib
import re
import subprocess
import unittest

SOURCE = pathlib.Path(os.environ["KVSCOPE_SOURCE"])
BIN = pathlib.Path(os.environ["KVSCOPE_BIN"])
PAGE = (SOURCE / "docs/operations.md").read_text()
RULES = (SOURCE / "deploy/prometheus/rules/alerts.yaml").read_text()


def help_of(*command):
    run = subprocess.run([BIN / command[0], *command[1:], "--help"], capture_output=True, text=True)
    return run.stdout


class Operations(unittest.TestCase):
    def test_every_alert_has_its_section(self):
        alerts = re.findall(r"^ *- alert: (\w+)", RULES, re.M)
        sections = re.findall(r"^### (\w+)$", PAGE, re.M)
        self.assertGreater(len(alerts), 10)
        self.assertEqual(sorted(sections), sorted(alerts))

    def test_every_alert_links_to_its_section(self):
        alerts = re.findall(r"^ *- alert: (\w+)", RULES, re.M)
        links = re.findall(r"runbook_url: \"docs/operations.md#(\w+)\"", RULES)
        self.assertEqual(links, [alert.lower() for alert in alerts])

    def test_every_section_says_what_to_do(self):
        for section in re.split(r"^### ", PAGE, flags=re.M)[1:]:
            name, text = section.split("\n", 1)
            paragraphs = [one for one in text.strip().split("\n\n") if one]
            self.assertGreaterEqual(len(paragraphs), 2, f"{name}: what it means, what to do")

    def test_files_and_links_exist(self):
        paths = re.findall(r"\]\(([\w./-]+)\)", PAGE)
        self.assertTrue(paths)
        for path in paths:
            self.assertTrue((SOURCE / "docs" / path).exists(), path)
        for path in set(re.findall(r"\b((?:docker|deploy)/[\w./-]*\w)", PAGE)):
            if path != "docker/secrets":  # made by the command beside it
                self.assertTrue((SOURCE / path).exists(), path)

    def test_flags_exist(self):
        programs = ("kvscope-orchestrator", "kvscope-metrics", "kvscope-inference")
        commands = [(program,) for program in programs]
        commands += [("kvscope-orchestrator", "backup"), ("kvscope", "run"), ("kvscope", "sweeps")]
        known = set(re.findall(r"--([a-z][a-z-]+)", "".join(help_of(*one) for one in commands)))
        docker = {"build"}  # docker compose's own
        used = set(re.findall(r"--([a-z][a-z-]+)", PAGE))
        self.assertEqual(used - docker - known, set())

    def test_subcommands_exist(self):
        for words in set(re.findall(r"kvscope (plan|sweeps \w+|results|run)\b", PAGE)):
            self.assertIn("Usage:", help_of("kvscope", *words.split()), words)


if __name__ == "__main__":
    unittest.main(verbosity=2)
