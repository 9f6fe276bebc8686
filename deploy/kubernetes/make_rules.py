#!/usr/bin/env python3
"""Writes deploy/prometheus/rules as the object that the Prometheus Operator reads.

usage: deploy/kubernetes/make_rules.py [--check]
  --check  write nothing; exit 1 if the object in the tree is not what would be written
"""

import pathlib
import sys

import yaml

DEPLOY = pathlib.Path(__file__).parents[1]
OBJECT = DEPLOY / "kubernetes/components/monitoring/rules.yaml"
HEAD = "# Written by deploy/kubernetes/make_rules.py from deploy/prometheus/rules: change those.\n"


class Dumper(yaml.SafeDumper):
    """Texts of several lines stay as they are."""


def represent_text(dumper, text):
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, represent_text)


def main():
    groups = []
    for path in sorted((DEPLOY / "prometheus/rules").glob("*.yaml")):
        groups += yaml.safe_load(path.read_text())["groups"]
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "kvscope"},
        "spec": {"groups": groups},
    }
    text = HEAD + yaml.dump(rule, Dumper=Dumper, sort_keys=False, width=96)
    if "--check" not in sys.argv[1:]:
        OBJECT.write_text(text)
        return 0
    if OBJECT.exists() and OBJECT.read_text() == text:
        return 0
    print(f"{OBJECT} is not what deploy/prometheus/rules say: run deploy/kubernetes/make_rules.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
