#!/usr/bin/env python3
"""The `kvscope` command as its users meet it: real sweeps, exit codes, messages, Ctrl-C.

usage: KVSCOPE=build/release/bin/kvscope KVSCOPE_SOURCE=. cli_test.py [TestCase...]
"""
import csv
import html.parser
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

KVSCOPE = str(pathlib.Path(os.environ["KVSCOPE"]).resolve())
SOURCE = pathlib.Path(os.environ["KVSCOPE_SOURCE"]).resolve()
MODEL = SOURCE / "models" / "pocket-llama"
OK, FAILED, USAGE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 4, 130

PASSAGES = [
    {
        "dataset": "tiny",
        "passage_id": f"p{i}",
        "context": f"{name} was born on 3 August 19{50 + i}. They studied in Pelwood University. "
        f"They worked as a farmer. They lived in {city}.",
        "questions": [
            {"question": f"When was {name} born?", "answer": f"3 August 19{50 + i}"},
            {"question": f"Where did {name} live?", "answer": city},
        ],
    }
    for i, (name, city) in enumerate(
        [
            ("Falwyn Belmont", "Delgate"),
            ("Darias Fenwick", "Vershire"),
            ("Orelle Selcroft", "Valton"),
            ("Ralina Corski", "Ormouth"),
        ]
        * 6
    )
]
SWEEP = {
    "name": "tiny",
    "model": str(MODEL),
    "datasets": [{"file": "tiny.jsonl"}],
    "regimes": ["agnostic"],
    "presses": ["knorm", "snapkv(window_size=8)"],
    "ratios": [0, 0.5, 0.9],
    "max_new_tokens": 12,
}


class Cli(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kvscope-cli-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def run_kvscope(self, *arguments, code=OK, stdin=None, env=None):
        run = subprocess.run(
            [KVSCOPE, *map(str, arguments)],
            cwd=self.dir,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, **(env or {})},
        )
        self.assertEqual(run.returncode, code, f"{arguments}\n{run.stdout}\n{run.stderr}")
        return run

    def write_sweep(self, passages=PASSAGES[:4], **changes):
        (self.dir / "tiny.jsonl").write_text("".join(json.dumps(p) + "\n" for p in passages))
        path = self.dir / "tiny.yaml"
        path.write_text(json.dumps({**SWEEP, **changes}))  # JSON is YAML
        return path

    def refused(self, *arguments, says, code=USAGE):
        """One clear sentence on stderr with all of `says`, the exit code, no crash."""
        run = self.run_kvscope(*arguments, code=code)
        last = run.stderr.strip().splitlines()[-1]
        for words in says:
            self.assertIn(words, last)
        self.assertTrue(last.startswith("kvscope: "), last)
        return run


class Run(Cli):
    def test_a_sweep_leaves_table_report_and_results(self):
        run = self.run_kvscope("run", self.write_sweep(), "--out", "out")
        self.assertIn("knorm", run.stdout)
        self.assertIn("report.html", run.stdout)
        with (self.dir / "out" / "answers.csv").open(newline="") as answers:
            rows = list(csv.DictReader(answers))
        self.assertEqual(len(rows), 4 * 2 * 2 * 3)
        full = [r for r in rows if float(r["compression_ratio"]) == 0]
        self.assertGreater(sum(float(r["f1"]) for r in full) / len(full), 0.8)
        worst = [r for r in rows if r["press"] == "knorm" and r["compression_ratio"] == "0.9"]
        self.assertLess(sum(float(r["f1"]) for r in worst) / len(worst), 0.3)
        self.assertTrue(all(float(r["eviction_rate"]) == 0 for r in full))
        page = (self.dir / "out" / "report.html").read_text()
        cache = re.search(r"0\.00: ([0-9.]+) KiB of ([0-9.]+) KiB", page)  # kept of the cache
        self.assertEqual(cache.group(1), cache.group(2))
        html.parser.HTMLParser().feed(page)
        self.assertNotRegex(page, r'<(script|link|img)[^>]+(src|href)="https?:')

    def test_results_in_every_form(self):
        self.run_kvscope("run", self.write_sweep(), "--out", "out")
        for level, count in (("answers", 48), ("cells", 6)):
            lines = self.run_kvscope("results", "out", "--level", level, "--format", "jsonl").stdout
            rows = [json.loads(line) for line in lines.splitlines()]
            self.assertEqual(len(rows), count)
            table = self.run_kvscope("results", "out", "--level", level, "--format", "csv").stdout
            self.assertEqual(len(list(csv.DictReader(table.splitlines()))), count)
            self.run_kvscope("results", "out", "--level", level)
        contract = (
            "sweep_id model dataset regime press compression_ratio passage_id question_id question "
            "gold answer f1 exact outcome direction answer_type question_type hop ger "
            "ger_layer_mean eviction_rate consensus_mean agreement_max kept_ratio kept_bytes "
            "full_bytes"
        )
        answers = self.run_kvscope("results", "out", "--level", "answers", "--json").stdout
        self.assertLessEqual(set(contract.split()), set(json.loads(answers.splitlines()[0])))

    def test_cells_by_tag_add_up(self):
        passages = json.loads(json.dumps(PASSAGES[:4]))
        for passage in passages:
            forward, reverse = passage["questions"]
            forward.update(direction="forward", hop=2)
            reverse.update(direction="reverse", hop=10)
        self.run_kvscope("run", self.write_sweep(passages), "--out", "out")
        answers = self.run_kvscope("results", "out", "--level", "answers", "--json").stdout
        answers = [json.loads(line) for line in answers.splitlines()]
        parted = self.run_kvscope("results", "out", "--by", "hop,direction", "--json").stdout
        parted = [json.loads(line) for line in parted.splitlines()]
        self.assertEqual(len(parted), 2 * 3 * 2)
        for cell in parted:
            keys = ("press", "compression_ratio", "hop", "direction")
            own = [a for a in answers if all(a[key] == cell[key] for key in keys)]
            self.assertEqual(cell["answer_count"], len(own))
            self.assertAlmostEqual(cell["f1"], sum(a["f1"] for a in own) / len(own))
            self.assertAlmostEqual(cell["ger"], sum(a["ger"] for a in own) / len(own))
            unknown = sum(a["outcome"] == "unknown" for a in own)
            self.assertAlmostEqual(cell["unknown_rate"], unknown / len(own))
        self.assertEqual([cell["hop"] for cell in parted[:2]], [2, 10])
        table = self.run_kvscope("results", "out", "--by", "direction").stdout
        self.assertIn("reverse", table)
        self.assertIn("F1 at 0.50", (self.dir / "out" / "report.html").read_text())
        self.refused("results", "out", "--by", "hop,hop", says=["--by", "hop"])
        self.refused("results", "out", "--level", "answers", "--by", "hop", says=["--by"])

    def test_another_tokenizer_and_more_phrases_score_anew(self):
        def outcomes(**score):
            self.run_kvscope("run", self.write_sweep(score=score), "--out", "out")
            rows = self.run_kvscope("results", "out", "--level", "answers", "--json").stdout
            return [json.loads(row) for row in rows.splitlines()]

        own = outcomes(tokenizer="model")
        (self.dir / "other").symlink_to(SOURCE / "tests/golden/tokenizers/qwen2-4k")
        other = outcomes(tokenizer="other")
        self.assertEqual([a["answer"] for a in own], [a["answer"] for a in other])
        self.assertNotEqual([a["f1"] for a in own], [a["f1"] for a in other])
        wrong = next(a["answer"] for a in own if a["outcome"] == "hallucination")
        more = outcomes(abstentions=[wrong])
        for before, after in zip(own, more):
            if before["answer"] == wrong and before["outcome"] == "hallucination":
                self.assertEqual(after["outcome"], "unknown")
            self.assertEqual(before["f1"], after["f1"])

    def test_again_is_at_once_and_equal(self):
        sweep = self.write_sweep()
        self.run_kvscope("run", sweep, "--out", "out")
        before = (self.dir / "out" / "answers.csv").read_bytes()
        run = self.run_kvscope("run", sweep, "--out", "out")
        self.assertEqual((self.dir / "out" / "answers.csv").read_bytes(), before)
        self.assertIn("report.html", run.stdout)

    def test_sweeps_list_show_delete(self):
        self.run_kvscope("run", self.write_sweep(), "--out", "out")
        store = ("--store", "out/store.db")
        listed = json.loads(self.run_kvscope("sweeps", "list", "--json", *store).stdout)
        self.assertEqual(listed["state"], "SUCCEEDED")
        self.assertIn("tiny", self.run_kvscope("sweeps", "show", "out").stdout)
        self.assertIn("tiny", self.run_kvscope("sweeps", "show", "tiny", *store).stdout)
        self.run_kvscope("sweeps", "delete", listed["id"], *store)
        self.refused("sweeps", "show", listed["id"], *store, says=[listed["id"]])

    def test_ctrl_c_and_kill_lose_nothing(self):
        copies = [
            {**p, "passage_id": f"{p['passage_id']}-{i}"} for i in range(12) for p in PASSAGES
        ]
        sweep = self.write_sweep(copies, ratios=[i / 20 for i in range(20)], max_new_tokens=24)
        undisturbed = self.dir / "undisturbed"
        self.run_kvscope("run", sweep, "--out", undisturbed)
        for end, codes in ((signal.SIGINT, (INTERRUPTED,)), (signal.SIGKILL, (-signal.SIGKILL,))):
            out = self.dir / end.name
            process = subprocess.Popen(
                [KVSCOPE, "run", str(sweep), "--out", str(out)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and self.units_done(out) < 1:
                time.sleep(0.01)
            process.send_signal(end)
            stderr = process.communicate(timeout=60)[1]
            self.assertIn(process.returncode, codes, stderr)
            self.assertGreater(self.units_done(out), 0)
            self.assertFalse((out / "report.html").exists())
            self.run_kvscope("run", sweep, "--out", out)
            mine, theirs = ((d / "answers.csv").read_bytes() for d in (out, undisturbed))
            self.assertEqual(mine, theirs)

    def units_done(self, out):
        """Units recorded in a store, read beside the process that writes it."""
        store = out / "store.db"
        if not store.exists():
            return 0
        import sqlite3

        try:
            with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as db:
                return db.execute("SELECT count(DISTINCT unit) FROM answers").fetchone()[0]
        except sqlite3.Error:
            return 0


class BadInput(Cli):
    def test_sweep_file(self):
        self.refused("run", "absent.yaml", says=["absent.yaml"])
        self.refused("run", self.write_sweep(ratios=[0.5, 1.2]), says=["ratios", "1.2", "[0, 1)"])
        self.refused("run", self.write_sweep(regimes=["agnostik"]), says=["agnostik", "agnostic"])
        self.refused("run", self.write_sweep(pressess=["knorm"]), says=["pressess", "presses"])

    def test_press(self):
        self.refused("run", self.write_sweep(presses=["snapvk"]), says=["snapvk", "snapkv"])
        wrong = self.write_sweep(presses=["snapkv(windowsize=8)"])
        self.refused("run", wrong, says=["windowsize", "window_size"])

    def test_score(self):
        (self.dir / "broken").mkdir()
        (self.dir / "broken" / "tokenizer.json").write_text('{"model":')
        for score, says in (
            ({"tokenizer": "nowhere"}, ["tiny.yaml", "score.tokenizer", "nowhere"]),
            ({"tokenizer": "broken"}, ["score.tokenizer", "broken/tokenizer.json"]),
            ({"abstentions": ["no answer", " "]}, ["tiny.yaml:1", "score.abstentions[1]"]),
            ({"correct": 0.2, "partial": 0.5}, ["tiny.yaml:1", "score.partial", "0.5", "0.2"]),
            ({"correct": 1.5}, ["tiny.yaml:1", "score.correct", "1.5"]),
            ({"tokeniser": "model"}, ["tiny.yaml:1", "tokeniser", "tokenizer"]),
        ):
            sweep = self.write_sweep(score=score)
            self.refused("run", sweep, "--out", "out", says=says)
            self.refused("plan", sweep, says=says)

    def test_data(self):
        self.refused("run", self.write_sweep(datasets=[{"file": "no.jsonl"}]), says=["no.jsonl"])
        sweep = self.write_sweep()
        with (self.dir / "tiny.jsonl").open("a") as data:
            data.write('{"context": "x", "questions": [\n')
        self.refused("run", sweep, says=["tiny.jsonl", "5"])

    def test_context_longer_than_the_window(self):
        long = [{**PASSAGES[0], "context": PASSAGES[0]["context"] * 40}]
        self.refused("run", self.write_sweep(long), says=["1024"])

    def broken_model(self, damage):
        model = self.dir / "model"
        shutil.rmtree(model, ignore_errors=True)
        shutil.copytree(MODEL, model)
        damage(model)
        return self.write_sweep(model=str(model))

    def test_model(self):
        self.refused("run", self.write_sweep(model="no/model"), says=["no/model"])

        def refused(damage, says):
            run = self.run_kvscope("run", self.broken_model(damage), code=USAGE)
            for words in says:
                self.assertIn(words, run.stderr.strip().splitlines()[-1])

        refused(lambda m: (m / "model.safetensors").unlink(), ["model.safetensors"])
        refused(lambda m: os.truncate(m / "model.safetensors", 100_000), ["model.safetensors"])
        refused(lambda m: (m / "tokenizer.json").write_text('{"model": '), ["tokenizer.json"])

        def config(model, **changes):
            path = model / "config.json"
            path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

        refused(lambda m: config(m, model_type="mamba"), ["mamba", "llama"])
        refused(lambda m: config(m, intermediate_size=400), ["mlp", "400", "384"])

        def reshape(model):
            path = model / "model.safetensors"
            raw = path.read_bytes()
            size = struct.unpack("<Q", raw[:8])[0]
            header = json.loads(raw[8 : 8 + size])
            header["model.norm.weight"]["shape"] = [64, 2]
            text = json.dumps(header, separators=(",", ":")).encode()
            path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + size :])

        refused(reshape, ["model.norm.weight"])

    def test_nothing_recorded_is_harmed(self):
        self.run_kvscope("run", self.write_sweep(), "--out", "out")
        before = self.run_kvscope("results", "out", "--level", "answers", "--json").stdout
        self.refused("run", self.write_sweep(presses=["nope"]), "--out", "out", says=["nope"])
        store = ("--store", "out/store.db")
        ids = [
            json.loads(line)["id"]
            for line in self.run_kvscope("sweeps", "list", "--json", *store).stdout.splitlines()
            if json.loads(line)["state"] == "SUCCEEDED"
        ]
        after = self.run_kvscope("results", ids[0], *store, "--level", "answers", "--json").stdout
        self.assertEqual(before, after)

    def test_store_of_a_newer_version(self):
        self.run_kvscope("run", self.write_sweep(), "--out", "out")
        import sqlite3

        with sqlite3.connect(self.dir / "out" / "store.db") as db:
            db.execute("PRAGMA user_version = 999")
        run = self.run_kvscope("sweeps", "list", "--store", "out/store.db", code=FAILED)
        self.assertIn("999", run.stderr)

    def test_usage(self):
        self.run_kvscope("results", code=USAGE)
        self.run_kvscope("no-such-command", code=USAGE)
        self.run_kvscope("results", "x", "--format", "xml", code=USAGE)
        self.refused("results", "x", says=["store"])

    def test_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            run = self.run_kvscope("serve", "--listen", address, code=FAILED)
            self.assertIn(address, run.stderr)

    def test_nobody_listens(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        self.refused("sweeps", "list", "--connect", address, says=[address], code=UNREACHABLE)

    def test_full_disk(self):
        # /dev/full stands for a disk that has no room for the results file.
        self.run_kvscope("run", self.write_sweep(), "--out", "out")
        with open("/dev/full", "w") as full:
            run = subprocess.run(
                [KVSCOPE, "results", "out", "--format", "csv"],
                cwd=self.dir,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
            )
        self.assertEqual(run.returncode, FAILED, run.stderr)
        self.assertIn("disk", run.stderr)


class Services(Cli):
    """The three binaries by themselves."""

    def start(self, name, *arguments):
        process = subprocess.Popen(
            [str(pathlib.Path(KVSCOPE).with_name(name)), *map(str, arguments)],
            cwd=self.dir,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def start_serving(self, name, *arguments):
        port_file = self.dir / f"{name}.port"
        listen = ("--listen", "127.0.0.1:0", "--port-file", port_file)
        process = self.start(name, *listen, *arguments)
        deadline = time.monotonic() + 30
        while not port_file.exists() or not port_file.read_text().strip():
            self.assertLess(time.monotonic(), deadline, "never served")
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        return process, f"127.0.0.1:{port_file.read_text().strip()}"

    def test_run_on_a_cluster_of_processes(self):
        quiet = ("--log-level", "warning")
        metrics, metrics_at = self.start_serving("kvscope-metrics", "--store", "m", *quiet)
        models = ("--models-dir", SOURCE / "models")
        orchestrator, at = self.start_serving(
            "kvscope-orchestrator", "--store", "o.db", "--metrics", metrics_at, *models, *quiet
        )
        worker = self.start(
            "kvscope-inference", "--orchestrator", at, "--metrics", metrics_at, *models, *quiet
        )
        sweep = self.write_sweep()
        self.run_kvscope("run", sweep, "--connect", at, "--out", "remote")
        self.run_kvscope("run", sweep, "--out", "local")
        columns = []
        for out in ("remote", "local"):
            rows = self.run_kvscope("results", out, "--level", "answers", "--json").stdout
            rows = [json.loads(line) for line in rows.splitlines()]
            # The sweep's id and the model's name depend on how it was submitted; nothing else does.
            columns.append([{**r, "sweep_id": "", "model": ""} for r in rows])
        self.assertEqual(len(columns[0]), 48)
        self.assertEqual(columns[0], columns[1])
        for process in (worker, orchestrator, metrics):
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(30), 0)
            self.assertEqual(process.stderr.read(), "")  # nothing to warn of

    def test_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            for name in ("kvscope-orchestrator", "kvscope-metrics"):
                process = self.start(name, "--listen", address, "--store", f"{name}.store")
                self.assertEqual(process.wait(30), FAILED)
                self.assertIn(address, process.stderr.read())


class Lists(Cli):
    def test_lists_and_help(self):
        for command in ("presses", "metrics", "datasets", "models"):
            env = {"KVSCOPE_MODELS_DIR": str(SOURCE / "models")}
            listed = json.loads(self.run_kvscope(command, "--json", env=env).stdout)
            self.assertGreater(len(listed), 0, command)
            self.run_kvscope(command, env=env)
        names = [p["name"] for p in json.loads(self.run_kvscope("presses", "--json").stdout)]
        for name in ("knorm", "random", "streaming_llm", "snapkv", "expected_attention"):
            self.assertIn(name, names)
        commands = "run plan sweeps results report presses metrics datasets models doctor serve"
        for command in (*commands.split(), "dataset", "inspect"):
            self.assertIn("Example", self.run_kvscope(command, "--help").stdout, command)

    def test_plan_counts_before_anything_runs(self):
        plan = json.loads(self.run_kvscope("plan", self.write_sweep(), "--json").stdout)
        self.assertEqual(plan["streams"], 48)
        self.assertEqual(plan["prefills"], 4)
        self.run_kvscope("plan", self.write_sweep())

    def test_dataset_generate_and_check(self):
        out = ("--scale", "pocket", "--seed", 3, "--passages", 5, "--out", "k.jsonl")
        self.run_kvscope("dataset", "generate", "knowledge", *out)
        report = self.run_kvscope("dataset", "check", "k.jsonl", "--json")
        self.assertEqual(json.loads(report.stdout)["datasets"][0]["passages"], 5)
        self.refused("dataset", "generate", "knowlege", *out, says=["knowlege", "knowledge"])

    def test_inspect_tokens(self):
        text = "Falwyn Belmont lived in Delgate."
        ids = json.loads(
            self.run_kvscope(
                "inspect", "tokens", "--model", MODEL, "--device", "cpu", stdin=text
            ).stdout
        )["ids"]
        back = self.run_kvscope(
            "inspect", "tokens", "--model", MODEL, "--decode", stdin=json.dumps(ids)
        )
        self.assertEqual(back.stdout.rstrip("\n"), text)

    def test_doctor(self):
        env = {"KVSCOPE_MODELS_DIR": str(SOURCE / "models")}
        facts = json.loads(self.run_kvscope("doctor", "--json", env=env).stdout)
        self.assertIn("cpu", [backend["name"] for backend in facts["backends"]])
        self.assertEqual(facts["self_test"]["ok"], True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
