#!/usr/bin/env python3
"""`kvscope dataset import` as its users meet it: what it writes, says and returns.

usage: KVSCOPE=build/release/bin/kvscope KVSCOPE_SOURCE=. dataset_import_test.py [TestCase...]
"""
import json
import sys
import unittest

sys.dont_write_bytecode = True
from cli_test import FAILED, MODEL, OK, PASSAGES, USAGE, Cli

SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Falwyn",
            "paragraphs": [
                {
                    "context": "Falwyn Belmont lived in Delgate.",
                    "qas": [
                        {
                            "id": "q1",
                            "question": "Where did Falwyn Belmont live?",
                            "is_impossible": False,
                            "answers": [{"text": "Delgate", "answer_start": 24}],
                        },
                        {"id": "q2", "question": "Why?", "is_impossible": True, "answers": []},
                    ],
                }
            ],
        }
    ],
}
ROWS = """context,question,answer
"Ann lived in ""Ulm"".",Where?,Ulm
"Ann lived in ""Ulm"".",When?,1901
"Ann lived in ""Ulm"".",Why?,
"""


class DatasetImport(Cli):
    def write(self, name, text):
        (self.dir / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return name

    def run_import(self, *arguments, code=OK):
        return self.run_kvscope("dataset", "import", *arguments, "--out", "out.jsonl", code=code)

    def passages(self):
        return [json.loads(line) for line in (self.dir / "out.jsonl").read_text().splitlines()]

    def test_squad_becomes_a_data_set_that_checks_and_plans(self):
        run = self.run_import(self.write("dev-v2.0.json", json.dumps(SQUAD)), "--name", "squad")
        self.assertEqual(run.stdout, "")
        self.assertIn("1 passage, 2 questions, 1 of them without an answer", run.stderr)
        (passage,) = self.passages()
        self.assertEqual(passage["dataset"], "squad")
        first, second = passage["questions"]
        self.assertEqual(first["evidence"], [[24, 31]])
        self.assertEqual(second["answer"], "I dont know")
        self.run_kvscope("dataset", "check", "out.jsonl")
        sweep = self.write_sweep(datasets=[{"file": "out.jsonl"}])
        plan = json.loads(self.run_kvscope("plan", sweep, "--json").stdout)
        self.assertEqual(plan["prefills"], 1)

    def test_bad_rows_are_told_and_nothing_is_written(self):
        run = self.run_import(self.write("mine.csv", ROWS), code=FAILED)
        said = run.stderr.splitlines()
        self.assertIn("mine.csv (csv): 3 rows read, 1 taken, 2 left out", said)
        self.assertIn('mine.csv:3: answer: "1901" does not occur in the context', said)
        self.assertIn("mine.csv:4: answer: is missing or empty, must be text", said)
        self.assertEqual(
            said[-1],
            "kvscope: 2 rows are bad, so nothing was written; --skip-bad writes the others",
        )
        self.assertEqual([p.name for p in self.dir.iterdir()], ["mine.csv"])

    def test_skip_bad_keeps_the_good_rows(self):
        run = self.run_import(self.write("mine.csv", ROWS), "--skip-bad", "--json")
        account = json.loads(run.stdout)
        self.assertEqual((account["rows_read"], account["rows_taken"]), (3, 1))
        self.assertEqual(account["left_out"], {"no_answer": 1, "answer_not_in_passage": 1})
        self.assertEqual(len(account["problems"]), 2)
        self.assertEqual(self.passages()[0]["questions"][0]["evidence"], [[14, 17]])

    def test_no_good_row(self):
        self.write("mine.csv", "context,question,answer\nAnn.,Who?,Bob\n")
        run = self.run_import("mine.csv", "--skip-bad", code=FAILED)
        self.assertIn("kvscope: no row was taken, so nothing was written", run.stderr)
        self.assertFalse((self.dir / "out.jsonl").exists())

    def test_broken_bytes_and_duplicate_ids(self):
        rows = [
            b'{"context": "Ann.", "question": "Who?", "answer": "Ann", "id": "a"}',
            b'{"context": "Ann \xc3(", "question": "Who?", "answer": "Ann"}',
            b'{"context": "Bob.", "question": "Who?", "answer": "Bob", "id": "a"}',
            b'{"context": "Bob.", "question": "Who?", "answer": "B\\ud800"}',
        ]
        run = self.run_import(self.write("f.jsonl", b"\n".join(rows)), "--skip-bad")
        self.assertIn("f.jsonl:2: byte 18 of the line is not UTF-8", run.stderr)
        self.assertIn('f.jsonl:3: id: "a" was already used in f.jsonl:1', run.stderr)
        self.assertIn("f.jsonl:4: is not valid JSON at byte", run.stderr)
        self.assertEqual(len(self.passages()), 1)

    def test_columns_can_be_mapped(self):
        self.write("mine.csv", "Text,Frage,Antwort\nAnn.,Wer?,Ann\n")
        columns = "context=Text,question=Frage,answer=Antwort"
        self.run_import("mine.csv", "--columns", columns)
        self.assertEqual(self.passages()[0]["questions"][0]["question"], "Wer?")
        out = ("--out", "out.jsonl")
        mine = ("dataset", "import", "mine.csv", *out)
        self.refused(*mine, says=["mine.csv:1", "Frage", "--columns"])
        self.refused(*mine, "--columns", "x", says=["column=NAME"])

    def test_a_passage_longer_than_the_window(self):
        long = {**PASSAGES[0], "passage_id": "long", "context": PASSAGES[0]["context"] * 40}
        self.write("f.jsonl", "".join(json.dumps(p) + "\n" for p in [PASSAGES[1], long]))
        window = ("--tokenizer", MODEL, "--window", 1024)
        run = self.run_import("f.jsonl", *window, code=FAILED)
        self.assertIn("f.jsonl:2: context: is ", run.stderr)
        self.assertIn("at most 1024 are allowed: the window", run.stderr)
        self.run_import("f.jsonl", *window, "--skip-bad")
        self.assertEqual([p["passage_id"] for p in self.passages()], ["p1"])
        self.run_import("f.jsonl", "--window", 1024, code=USAGE)

    def test_what_cannot_be_read_is_a_usage_error(self):
        out = ("--out", "out.jsonl")
        self.refused("dataset", "import", "no.csv", *out, says=["no.csv"])
        self.write("f.json", json.dumps(SQUAD)[:-9])
        cut = ("dataset", "import", "f.json", *out)
        self.refused(*cut, "--skip-bad", says=["f.json", "JSON"])
        self.refused(*cut, "--format", "sqad", says=["sqad", "squad"])
        self.write("f.txt", "hello\n")
        self.refused("dataset", "import", "f.txt", *out, says=["f.txt", "hello", "--format"])
        self.assertFalse((self.dir / "out.jsonl").exists())

    def test_help(self):
        said = self.run_kvscope("dataset", "import", "--help").stdout
        for name in ("Example", "jsonl", "csv", "squad", "longbench", "ruler", "--skip-bad"):
            self.assertIn(name, said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
