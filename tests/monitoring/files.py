"""What deploy/prometheus and deploy/grafana hold, read for the tests."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import yaml

SOURCE = pathlib.Path(os.environ["KVSCOPE_SOURCE"]).resolve()
PROMETHEUS = SOURCE / "deploy" / "prometheus"
GRAFANA = SOURCE / "deploy" / "grafana"
SKIPPED = 77  # ctest's word for it


def need(*programs):
    """Ends the test as skipped where Debian's `prometheus` package is not installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        print(f"skipped: no {', '.join(missing)} (scripts/install-packages --with-tests)")
        sys.exit(SKIPPED)


def rules(name):
    groups = yaml.safe_load((PROMETHEUS / "rules" / name).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboards():
    return [json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").glob("*"))]


def panels(dashboard):
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def run(*command, stdin=None):
    return subprocess.run(
        list(map(str, command)), input=stdin, capture_output=True, text=True, timeout=60
    )


# A selector of series within an expression of PromQL: a name with a prefix of ours, or `up`.
SELECTOR = re.compile(
    r"(?<![\w:])(?:[a-z_]+:)?(?:kvscope|process)_[a-z0-9_]+(?::[a-z0-9_]+)?"
    r"(?:\{[^}]*\})?|(?<![\w:])up\{[^}]*\}|(?<![\w:])kvscope:[a-z0-9_:]+"
)


def selectors(expression):
    return sorted(set(SELECTOR.findall(expression)))
