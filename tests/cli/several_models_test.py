#!/usr/bin/env python3
"""One sweep over several models, on the command line.

usage: KVSCOPE=build/release/bin/kvscope KVSCOPE_SOURCE=. several_models_test.py
"""
import json
import os
import shutil
import unittest

from cli_test import MODEL, PASSAGES, SOURCE, Cli

TINY_QWEN2 = SOURCE / "tests/golden/models/qwen2-tiny"  # random weights


class SeveralModels(Cli):
    MODELS = [str(MODEL), str(TINY_QWEN2)]

    def rows(self, out, *more):
        lines = self.run_kvscope("results", out, *more, "--json").stdout.splitlines()
        return [json.loads(line) for line in lines]

    def test_one_sweep_equals_one_a_model(self):
        sweep = self.write_sweep(model=self.MODELS, capture={"heatmaps": {"passages": 1}})
        run = self.run_kvscope("run", sweep, "--out", "both")
        self.assertIn("qwen2-tiny", run.stdout)
        alone = []
        for model in self.MODELS:
            changes = {"model": model, "capture": {"heatmaps": {"passages": 1}}}
            self.run_kvscope("run", self.write_sweep(**changes), "--out", "alone")
            alone.append((self.rows("alone", "--level", "answers"), self.rows("alone")))
        for row in (both := self.rows("both", "--level", "answers")) + alone[0][0] + alone[1][0]:
            del row["sweep_id"]
        self.assertEqual(both, alone[0][0] + alone[1][0])
        named = [model for model in self.MODELS for _ in range(48)]
        self.assertEqual([row["model"] for row in both], named)
        self.assertEqual(self.rows("both"), alone[0][1] + alone[1][1])

        table = self.run_kvscope("results", "both").stdout.splitlines()
        self.assertEqual(table[0].split()[:3], ["model", "dataset", "regime"])
        self.assertEqual(table[1].split()[0], "pocket-llama")
        table = self.run_kvscope("results", "alone").stdout
        self.assertEqual(table.split()[:2], ["dataset", "regime"])
        answers = self.run_kvscope("results", "both", "--level", "answers").stdout
        self.assertEqual(answers.split()[:2], ["model", "dataset"])
        show = self.run_kvscope("sweeps", "show", "both").stdout
        for model in self.MODELS:
            self.assertIn(model, show)

        page = (self.dir / "both" / "report.html").read_text()
        for model in ("pocket-llama", "qwen2-tiny"):
            self.assertIn(f"<summary>tiny · {model} · agnostic</summary>", page)
            self.assertIn(f"tiny · {model} · agnostic · passage p0", page)
        self.assertEqual(page.count("<dt>model</dt>"), 2)
        page = (self.dir / "alone" / "report.html").read_text()
        self.assertIn("<summary>tiny · agnostic</summary>", page)

    def test_copies_of_a_model_share_their_units(self):
        for name in ("old/model", "new/model"):
            shutil.copytree(MODEL, self.dir / name)
        sweep = self.write_sweep(model=["old/model", "new/model"])
        self.run_kvscope("run", sweep, "--out", "out")
        rows = self.rows("out", "--level", "answers")
        self.assertEqual(len(rows), 96)
        names = [row.pop("model") for row in rows]
        self.assertEqual(names, ["old/model"] * 48 + ["new/model"] * 48)
        self.assertEqual(rows[:48], rows[48:])
        self.assertIn("new/model", self.run_kvscope("results", "out").stdout)
        self.assertEqual(self.rows("out")[6]["model"], "new/model")
        # On a cluster both would be called "model".
        says = ["tiny.yaml: model[1]", "new/model", "model[0]", "old/model"]
        self.refused("run", sweep, "--connect", "127.0.0.1:1", says=says)

    def test_models_from_the_command_line(self):
        options = [word for model in self.MODELS for word in ("--model", model)]
        sweep = self.write_sweep(model="no/such/model")
        plan = json.loads(self.run_kvscope("plan", sweep, *options, "--json").stdout)
        self.assertEqual([m["model"] for m in plan["models"]], self.MODELS)
        for key in ("cells", "prefills", "streams", "context_tokens_total", "estimated_s"):
            self.assertAlmostEqual(plan[key], sum(m[key] for m in plan["models"]), msg=key)
        self.assertEqual((plan["cells"], plan["passages"], plan["prefills"]), (12, 4, 8))
        self.assertEqual(plan["kv_bytes_max"], max(m["kv_bytes_max"] for m in plan["models"]))
        table = self.run_kvscope("plan", sweep, *options, "--no-estimate").stdout
        self.assertIn("pocket-llama", table)
        self.assertIn("qwen2-tiny", table)
        self.run_kvscope("run", sweep, *options, "--out", "out")
        self.assertEqual(len(self.rows("out")), 12)

    def test_bad_models(self):
        (self.dir / "link").symlink_to(MODEL)
        for models, says in (
            ([], ["tiny.yaml:1", "model", "empty list"]),
            ([str(MODEL), str(MODEL)], ["tiny.yaml:1", "model[1]", "model[0]"]),
            ([str(MODEL), ""], ["tiny.yaml:1", "model[1]", "empty"]),
            ([str(MODEL), 3, ["x"]], ["tiny.yaml:1", "model[2]", "list"]),
            ([str(MODEL), "no/model"], ["tiny.yaml", "model[1]", "no/model"]),
            ([str(MODEL), "link"], ["tiny.yaml", "model[1]", "link", "same directory", "model[0]"]),
        ):
            sweep = self.write_sweep(model=models)
            self.refused("run", sweep, "--out", "out", says=says)
            self.refused("plan", sweep, says=says)
        self.refused("run", self.write_sweep(), "--model", "", says=["--model"])
        shutil.copytree(MODEL, self.dir / "broken")
        os.truncate(self.dir / "broken" / "model.safetensors", 100_000)
        sweep = self.write_sweep(model=[str(TINY_QWEN2), "broken"])
        self.refused("run", sweep, "--out", "out", says=["model[1]", "model.safetensors"])
        long = [{**PASSAGES[0], "context": PASSAGES[0]["context"] * 40}]
        sweep = self.write_sweep(long, model=[str(TINY_QWEN2), str(MODEL)])
        self.refused("run", sweep, "--out", "out", says=["model[1]", "p0", "1024"])
        self.refused("plan", sweep, says=["model[1]", "1024"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
