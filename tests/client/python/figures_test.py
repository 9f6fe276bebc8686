#!/usr/bin/env python3
"""Figures as files: `kvscope report --figures`, and the Python package that draws them.

usage: KVSCOPE=build/release/bin/kvscope KVSCOPE_SOURCE=. figures_test.py [Files|Reading|Drawing]

Drawing needs vl-convert-python (environment.py); exits 77 (skipped) where it cannot be had.
"""
import csv
import json
import os
import pathlib
import subprocess
import sys
import unittest
import xml.etree.ElementTree

SOURCE = pathlib.Path(os.environ["KVSCOPE_SOURCE"]).resolve()
PACKAGE = SOURCE / "services" / "client" / "python"
sys.path[:0] = [str(SOURCE / "tests" / "cli"), str(PACKAGE)]

import environment  # noqa: E402
from cli_test import Cli  # noqa: E402

from kvscope import figures  # noqa: E402


class Package(Cli):
    """Runs the package as its users do."""

    def figures(self, *arguments, code=0, program=("-m", "kvscope", "figures")):
        run = subprocess.run(
            [sys.executable, *program, *map(str, arguments)],
            cwd=self.dir,
            capture_output=True,
            text=True,
            timeout=240,
            env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        )
        self.assertEqual(run.returncode, code, f"{arguments}\n{run.stdout}\n{run.stderr}")
        return run

    def write_figures(self):
        capture = {"consensus": True, "heatmaps": {"passages": 1}}
        sweep = self.write_sweep(capture=capture, ratios=[0, 0.1, 0.5, 0.9])
        self.run_kvscope("run", sweep, "--out", "out")
        return self.run_kvscope("report", "out", "--figures", "figures")


class Files(Package):
    def test_each_figure_is_a_spec_and_its_rows(self):
        report = self.write_figures()
        self.assertEqual(report.stdout.strip(), str(self.dir / "figures"))
        self.assertFalse((self.dir / "report.html").exists())  # --figures alone writes no page
        self.assertIn("no figure probes: no hidden states were captured", report.stderr)
        files = {file.name for file in (self.dir / "figures").iterdir()}
        ids = {name[: -len(".vl.json")] for name in files if name.endswith(".vl.json")}
        self.assertEqual(files, {f"{i}{end}" for i in ids for end in (".vl.json", ".csv")})
        wanted = {"f1", "consensus_by_layer", "eviction_by_layer", "ger_hallucination"}
        self.assertLessEqual(wanted | {"survival_map-0", "hallucination"}, ids)
        for name in ids:
            spec = json.loads((self.dir / "figures" / f"{name}.vl.json").read_text())
            self.assertEqual(spec["data"]["url"], f"{name}.csv")
            with (self.dir / "figures" / f"{name}.csv").open(newline="") as rows:
                rows = list(csv.DictReader(rows))
            self.assertTrue(rows, name)
            self.assertLessEqual(set(spec["data"]["format"]["parse"]), set(rows[0]), name)

        with (self.dir / "figures" / "f1.csv").open(newline="") as rows:
            f1 = {(r["press"], float(r["ratio"])): float(r["f1"]) for r in csv.DictReader(rows)}
        cells = self.run_kvscope("results", "out", "--level", "cells", "--format", "jsonl").stdout
        cells = [json.loads(line) for line in cells.splitlines()]
        self.assertEqual(f1, {(c["press"], c["compression_ratio"]): c["f1"] for c in cells})

    def test_page_and_figures_at_once(self):
        self.run_kvscope("run", self.write_sweep(), "--out", "out")
        report = self.run_kvscope("report", "out", "--out", "page.html", "--figures", "figures")
        self.assertEqual(
            report.stdout.split(), [str(self.dir / "figures"), str(self.dir / "page.html")]
        )
        self.assertTrue((self.dir / "page.html").exists())
        (self.dir / "taken").write_text("")
        self.refused("report", "out", "--figures", "taken/in", says=["--figures", "taken/in"])


class Reading(Package):
    def spec(self, text, name="a.vl.json"):
        path = self.dir / name
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return path

    def test_rows_are_put_into_the_spec(self):
        (self.dir / "a.csv").write_text("x,y\r\n1,2\r\n")
        form = {"type": "csv", "parse": {"x": "number"}}
        spec = self.spec({"data": {"url": "a.csv", "format": form}, "mark": "point"})
        self.assertEqual(figures.load(spec)["data"], {"values": "x,y\n1,2\n", "format": form})

    def test_bad_files_are_named(self):
        (self.dir / "binary.csv").write_bytes(b"\xff\xfe\x00")
        for text, says in (
            ("{", "not a JSON file"),
            ("[]", "data.url must name"),
            ('{"data": {"url": 3}}', "data.url must name"),
            ('{"data": {"url": "../a.csv"}}', "must be a file beside it"),
            ('{"data": {"url": "none.csv"}}', "cannot read data.url"),
            ('{"data": {"url": "binary.csv"}}', "cannot read data.url"),
        ):
            with self.assertRaises(figures.FigureError) as caught:
                figures.load(self.spec(text))
            self.assertIn("a.vl.json: ", str(caught.exception))
            self.assertIn(says, str(caught.exception))

    def test_folders_are_looked_at(self):
        with self.assertRaisesRegex(figures.FigureError, "no such folder; `kvscope report"):
            figures.find(self.dir / "none", [])
        with self.assertRaisesRegex(figures.FigureError, "holds no .*vl.json"):
            figures.find(self.dir, [])
        b, a = self.spec("{}", "b.vl.json"), self.spec("{}", "a.vl.json")
        self.assertEqual(figures.find(self.dir, []), [a, b])
        self.assertEqual(figures.find(self.dir, ["b"]), [b])
        with self.assertRaisesRegex(figures.FigureError, "--only: .* no figure 'c'; it has a, b"):
            figures.find(self.dir, ["c"])

    def test_usage(self):
        for arguments in ((), ("x", "--format", "gif"), ("x", "--scale", "0")):
            self.figures(*arguments, code=2)
        self.figures(code=2, program=("-m", "kvscope"))


class Drawing(Package):
    def test_every_figure_becomes_svg_and_png(self):
        self.write_figures()
        run = self.figures("figures", "--scale", "0.5")
        self.assertEqual(run.stderr, "")
        specs = list((self.dir / "figures").glob("*.vl.json"))
        self.assertEqual(len(run.stdout.splitlines()), 2 * len(specs))
        for spec in specs:
            stem = str(spec)[: -len(".vl.json")]
            svg = xml.etree.ElementTree.parse(stem + ".svg").getroot()
            self.assertGreater(float(svg.get("width")), 150, spec.name)
            self.assertGreater(float(svg.get("height")), 100, spec.name)
            self.assertEqual(pathlib.Path(stem + ".png").read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        text = (self.dir / "figures" / "f1.svg").read_text()
        self.assertIn("snapkv(window_size=8)", text)
        self.assertNotIn("NaN", text)

    def test_some_figures_elsewhere(self):
        self.write_figures()
        self.figures("figures", "--out", "paper", "--format", "svg", "--only", "f1", "ger")
        self.assertEqual({f.name for f in (self.dir / "paper").iterdir()}, {"f1.svg", "ger.svg"})
        run = self.figures("none", code=2)
        self.assertIn("error: none: no such folder", run.stderr)


if __name__ == "__main__":
    if "Drawing" in sys.argv[1:]:
        environment.enter("figures", ("vl-convert-python==1.9.0.post1",))
    unittest.main()
