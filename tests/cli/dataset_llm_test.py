#!/usr/bin/env python3
"""`kvscope dataset generate --llm` against a stand-in for a language model (stand_in_llm.py).

usage: KVSCOPE=build/release/bin/kvscope dataset_llm_test.py [TestCase...]
"""
import json
import math
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from stand_in_llm import CONTENT_FAULTS, FIRST, LAST, StandIn

KVSCOPE = str(pathlib.Path(os.environ["KVSCOPE"]).resolve())
OK, FAILED, USAGE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 4, 130
SUITES = {  # words, questions
    "base": (150, 200, 6),
    "multi_presence": (400, 600, 10),
    "multi_entity": (400, 600, 10),
    "long_context": (900, 1300, 10),
    "hops": (1080, 1120, 16),
}


class Llm(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kvscope-llm-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.out = self.dir / "f.jsonl"
        self.progress = self.dir / "f.jsonl.progress"
        self.rejects = self.dir / "f.rejects.jsonl"

    def command(self, url, *extra, suite="base", passages=4):
        return [KVSCOPE, "dataset", "generate", suite, "--llm", url, "--model", "stand-in",
                "--seed", "7", "--passages", str(passages), "--out", "f.jsonl", *map(str, extra)]

    def start(self, *arguments, env=None, **more):
        environment = {k: v for k, v in os.environ.items() if k != "KVSCOPE_LLM_API_KEY"}
        return subprocess.Popen(
            self.command(*arguments, **more), cwd=self.dir, env={**environment, **(env or {})},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def generate(self, *arguments, code=OK, **more):
        process = self.start(*arguments, **more)
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, code, f"{out}\n{err}")
        return out, err

    def refused(self, *arguments, code, says, **more):
        """One clear sentence at the end of stderr, with all of `says`."""
        out, err = self.generate(*arguments, code=code, **more)
        last = err.strip().splitlines()[-1]
        self.assertTrue(last.startswith("kvscope: "), err)
        for words in says:
            self.assertIn(words, last)
        return out, err

    def check(self):
        run = subprocess.run([KVSCOPE, "dataset", "check", str(self.out), "--json"],
                             capture_output=True, text=True)
        self.assertEqual(run.returncode, OK, run.stdout + run.stderr)
        return json.loads(run.stdout)["datasets"][0]

    def rows(self):
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def files(self):
        return sorted(path.name for path in self.dir.iterdir())


class Suites(Llm):
    def test_every_suite_holds_its_rules(self):
        for suite, (low, high, questions) in SUITES.items():
            with self.subTest(suite), StandIn() as model:
                self.out.unlink(missing_ok=True)
                self.generate(model.url, suite=suite, passages=3)
                report = self.check()
                self.assertEqual((report["passages"], report["questions"]), (3, 3 * questions))
                self.assertEqual(self.files(), ["f.jsonl"])
                for index, row in enumerate(self.rows()):
                    self.assertEqual(row["passage_id"], f"{suite}-llm-7-{index:04d}")
                    self.assertEqual(row["dataset"], suite)
                    self.assertTrue(low <= len(row["context"].split()) <= high)
                    asked = [(q["hop"], q["direction"]) for q in row["questions"]]
                    hops = range(4) if suite == "hops" else [0]
                    each = questions // 2 // len(hops)
                    for hop in hops:
                        for direction in ("forward", "reverse"):
                            self.assertEqual(asked.count((hop, direction)), each)
                    for question in row["questions"]:
                        for start, end in question["evidence"]:
                            self.assertEqual(row["context"][start:end], question["answer"])
                        self.assertTrue(question["evidence"])
                self.assertEqual(len(model.requests), 6)  # right at once: a passage, its questions
                written = set(re.findall(r"\w+", self.out.read_text()))
                self.assertFalse(written & set(FIRST + LAST), "a name of the model's is left")

    def test_names_depend_on_seed_and_index_alone(self):
        with StandIn() as model:
            self.generate(model.url, passages=3)
            three = self.out.read_text()
            self.out.unlink()
            self.generate(model.url, "--parallel", 4, passages=6)
            self.assertTrue(self.out.read_text().startswith(three))
            self.assertEqual(len(set(r["context"] for r in self.rows())), 6)

    def test_options_reach_the_endpoint(self):
        with StandIn() as model:
            self.generate(model.url + "/", "--words", "180-260", "--temperature", 0.5, passages=1)
            _, path, headers, request = model.requests[0]
            self.assertEqual(path, "/v1/chat/completions")
            self.assertEqual((request["model"], request["temperature"]), ("stand-in", 0.5))
            self.assertGreater(request["max_tokens"], 1000)
            self.assertNotIn("Authorization", headers)
            self.assertTrue(180 <= len(self.rows()[0]["context"].split()) <= 260)


class WrongAnswers(Llm):
    def test_sloppy_model(self):
        with StandIn(sloppy=0.5) as model:
            out, err = self.generate(model.url, "--json", "--parallel", 3, "--attempts", 20,
                                     passages=25)
            made = model.faults_made
        self.assertEqual(made, {(k, f) for k, faults in CONTENT_FAULTS.items() for f in faults})
        report = json.loads(out)
        self.assertEqual((report["passages"], report["questions"]), (25, 150))
        self.assertEqual(self.check()["passages"], 25)
        self.assertEqual(self.files(), ["f.jsonl", "f.rejects.jsonl"])
        lines = [json.loads(line) for line in self.rejects.read_text().splitlines()]
        for stage in ("passage", "questions"):
            counts = {}
            for line in lines:
                if line["stage"] == stage:
                    counts[line["reason"]] = counts.get(line["reason"], 0) + 1
            key = "rejected_passages" if stage == "passage" else "rejected_questions"
            self.assertEqual(report[key], counts)
        for reason in ("malformed", "truncated", "too_short", "too_long", "unlisted_name",
                       "fact_ungrounded"):
            self.assertIn(reason, report["rejected_passages"])
        for reason in ("malformed", "ungrounded", "duplicate_question", "bad_tag",
                       "too_few_questions", "answer_in_question"):
            self.assertIn(reason, report["rejected_questions"])
        table = err[err.index("refused"):]
        self.assertIn("too_short", table)
        self.assertIn("f.rejects.jsonl", table)

    def test_the_model_is_told_what_was_wrong(self):
        with StandIn(poison=0) as model:
            self.generate(model.url, "--attempts", 2, passages=1, code=FAILED)
            first, second = (request["messages"] for _, _, _, request in model.requests)
            self.assertEqual([m["role"] for m in first], ["system", "user"])
            self.assertEqual([m["role"] for m in second], ["system", "user", "assistant", "user"])
            self.assertRegex(second[3]["content"], r"has \d+ words, it must have 150 to 200")

    def test_given_up_passages(self):
        with StandIn(poison=1) as model:
            _, err = self.refused(model.url, "--attempts", 2, code=FAILED,
                                  says=["1 of 4", "--skip-bad"])
            self.assertIn("f.jsonl.progress", err)
            self.assertEqual(self.files(), ["f.jsonl.progress", "f.rejects.jsonl"])
            asked = len(model.requests)
            out, _ = self.generate(model.url, "--attempts", 2, "--skip-bad", "--json")
            self.assertEqual(len(model.requests) - asked, 2)  # only the one was tried again ...
            seeds = [request["seed"] for _, _, _, request in model.requests]
            self.assertEqual(len(set(seeds)), len(seeds))  # ... and with other dice
            self.assertEqual(json.loads(out)["given_up"], ["base-llm-7-0001"])
            self.assertEqual([r["passage_id"][-1] for r in self.rows()], ["0", "2", "3"])
            self.assertEqual(self.files(), ["f.jsonl", "f.rejects.jsonl"])

    def test_a_model_that_cannot_ends_early(self):
        with StandIn(sloppy=1.0) as model:
            self.refused(model.url, "--attempts", 1, passages=50, code=FAILED,
                         says=["5 passages in a row"])
            self.assertLessEqual(len(model.requests), 10)
        self.assertFalse(self.out.exists())


class Protocol(Llm):
    def test_faults_are_survived(self):
        faults = {0: "429", 2: "500", 3: "drop", 5: "short_body", 6: "slow", 8: "garbage",
                  10: "no_choices", 12: "no_content", 14: "huge", 16: "503"}
        with StandIn(faults=faults) as model:
            out, err = self.generate(model.url, "--json", "--timeout", 3, "--attempts", 6,
                                     passages=6)
            times = [request[0] for request in model.requests]
        report = json.loads(out)
        self.assertEqual(report["failed_requests"],
                         {"429": 1, "500": 1, "503": 1, "connection": 2, "timeout": 1})
        self.assertEqual(report["requests"], len(times))
        refused = [report["rejected_passages"], report["rejected_questions"]]
        self.assertEqual(sum(counts.get("bad_reply", 0) for counts in refused), 4)
        self.assertEqual(self.check()["passages"], 6)
        self.assertGreaterEqual(times[1] - times[0], 2)  # Retry-After
        self.assertIn("429 1x", err)

    def test_nobody_there(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        began = time.monotonic()
        self.refused(url, code=UNREACHABLE, says=[url])
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(self.files(), [])

    def test_nobody_answers(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
            self.refused(url, "--timeout", 0.3, "--tries", 1, code=UNREACHABLE,
                         says=[url, "0.3 s", "--timeout"])
        self.assertEqual(self.files(), [])

    def test_refusals_of_the_endpoint(self):
        missing = json.dumps({"error": {"message": "model stand-in does not exist"}})
        with StandIn(always=(404, missing)) as model:
            self.refused(model.url, code=USAGE, says=["404", "stand-in does not exist"])
            self.assertEqual(len(model.requests), 1)
        with StandIn(always=(400, "\x1b[31mno")) as model:
            self.refused(model.url, code=USAGE, says=["400", r"\x1b[31mno"])
        busy = (429, "{}", [("Retry-After", "4000")])
        with StandIn(always=busy) as model:
            self.refused(model.url, code=UNREACHABLE, says=["429", "4000 s"])
        with StandIn(always=(503, "{}")) as model:
            self.refused(model.url, "--tries", 2, code=UNREACHABLE, says=["503", "2 times"])
            self.assertEqual(len(model.requests), 2)
        self.assertEqual(self.files(), [])

    def test_no_redirect_is_followed(self):
        with StandIn() as other:
            for target in (other.url + "/chat/completions", "file:///etc/hostname"):
                with StandIn(always=(307, "", [("Location", target)])) as model:
                    self.refused(model.url, code=FAILED, says=["307", target])
            self.assertEqual(other.requests, [])
        self.assertEqual(self.files(), [])

    def test_the_key_stays_secret(self):
        key = "sk-secret-0123456789"
        (self.dir / "key").write_text(key + "\n")
        echo = json.dumps({"error": {"message": f"the key {key} is not known"}})
        with StandIn(always=(401, echo)) as model:
            for how in ({}, {"env": {"KVSCOPE_LLM_API_KEY": key}}):
                extra = () if how else ("--api-key-file", "key")
                out, err = self.refused(model.url, *extra, code=FAILED,
                                        says=["401", "is not known"], **how)
                self.assertNotIn(key, out + err)
            sent = [headers["Authorization"] for _, _, headers, _ in model.requests]
            self.assertEqual(sent, [f"Bearer {key}"] * 2)
        with StandIn(sloppy=0.5) as model:
            self.generate(model.url, "--api-key-file", "key", "--attempts", 20)
        for name in self.files():
            if name != "key":
                self.assertNotIn(key, (self.dir / name).read_text())
        self.refused("http://192.0.2.1/v1", "--api-key-file", "key", code=USAGE,
                     says=["plain text", "--insecure"])
        (self.dir / "key").write_text("two\nlines")
        _, err = self.refused("http://127.0.0.1:1/v1", "--api-key-file", "key", code=USAGE,
                              says=["API key"])
        self.assertNotIn("two", err)


class Resume(Llm):
    """An interrupted run, taken up again, leaves what an undisturbed one leaves."""

    EXTRA = ("--attempts", 20)

    def undisturbed(self):
        with StandIn(sloppy=0.3) as model:
            self.generate(model.url, *self.EXTRA, passages=12)
        files = self.out.read_bytes(), self.rejects.read_bytes()
        self.out.unlink()
        self.rejects.unlink()
        return files

    def lines_kept(self):
        return self.progress.read_bytes().count(b"\n") if self.progress.exists() else 0

    def run_until_kept(self, model, lines, *extra):
        """Starts a run that hangs, in a request, once so many lines are kept."""
        model.limit = len(model.requests)
        process = self.start(model.url, *self.EXTRA, *extra, passages=12)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 60
        while self.lines_kept() < lines or len(model.requests) <= model.limit:
            self.assertIsNone(process.poll(), "ended too early")
            self.assertLess(time.monotonic(), deadline)
            if len(model.requests) > model.limit:
                model.limit += 1
            time.sleep(0.01)
        return process

    def test_after_ctrl_c_and_after_kill(self):
        whole = self.undisturbed()
        with StandIn(sloppy=0.3) as model:
            process = self.run_until_kept(model, 3)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(10), INTERRUPTED)
            self.assertIn("f.jsonl.progress", process.stderr.read())
            self.assertFalse(self.out.exists())
            kept = self.lines_kept()
            self.assertGreaterEqual(kept, 3)

            process = self.run_until_kept(model, kept + 2)
            process.kill()
            process.wait()
            with self.progress.open("ab") as file:
                file.write(b'{"index": 11, "passage": {"con')  # as a crash leaves it
            asked = len(model.requests)
            model.limit = math.inf
            out, _ = self.generate(model.url, *self.EXTRA, "--json", passages=12)
            self.assertLess(len(model.requests) - asked, json.loads(out)["requests"])
        self.assertEqual((self.out.read_bytes(), self.rejects.read_bytes()), whole)
        self.assertEqual(self.files(), ["f.jsonl", "f.rejects.jsonl"])

    def test_after_the_endpoint_died(self):
        whole = self.undisturbed()
        with StandIn(sloppy=0.3) as model:
            process = self.run_until_kept(model, 4, "--tries", 2)
        self.assertEqual(process.wait(60), UNREACHABLE)
        err = process.stderr.read()
        self.assertIn("f.jsonl.progress", err)
        with StandIn(sloppy=0.3) as model:  # another port: the address is no part of the run
            self.generate(model.url, *self.EXTRA, passages=12)
        self.assertEqual((self.out.read_bytes(), self.rejects.read_bytes()), whole)

    def test_what_may_not_go_on(self):
        with StandIn(sloppy=0.3) as model:
            process = self.run_until_kept(model, 4)
            self.refused(model.url, *self.EXTRA, passages=12, code=FAILED, says=["another run"])
            process.kill()
            process.wait()
            before = self.progress.read_bytes()
            self.refused(model.url, "--words", "100-200", passages=12, code=USAGE,
                         says=["f.jsonl.progress:1", "another run", "[150,200]", "[100,200]"])
            self.refused(model.url, passages=2, code=USAGE, says=["--passages", "2"])
            self.progress.write_bytes(before.replace(b'"rejections"', b'"rejection"'))
            self.refused(model.url, passages=12, code=USAGE, says=["f.jsonl.progress:2"])
            self.progress.write_bytes(before)
            model.limit = math.inf
            self.generate(model.url, *self.EXTRA, passages=12)
            finished = self.out.read_bytes()
            self.refused(model.url, passages=12, code=USAGE, says=["f.jsonl", "already"])
            self.assertEqual(self.out.read_bytes(), finished)


class BadUsage(Llm):
    def test_messages(self):
        url = "http://127.0.0.1:1/v1"
        self.refused(url, suite="knowledge", code=USAGE, says=["knowledge", "base"])
        self.refused(url, suite="hop", code=USAGE, says=["hop", "hops"])
        for words in ("200-150", "x", "5-10", "100", "100-200-300", "-100-200"):
            self.refused(url, f"--words={words}", code=USAGE, says=["--words", words, "LOW-HIGH"])
        for bad, says in (("ftp://h/v1", "https://"), ("file:///etc/passwd", "https://"),
                          ("http://h/v1?x=1", "query"), ("http://", "no URL")):
            self.refused(bad, code=USAGE, says=[says])
        _, err = self.refused("http://me:hidden@h/v1", code=USAGE, says=["--api-key-file"])
        self.assertNotIn("hidden", err)
        self.refused(url, "--api-key-file", "absent", code=USAGE, says=["absent"])
        self.generate(url, "--attempts", 0, code=USAGE)
        self.generate(url, "--scale", "paper", code=USAGE)
        self.assertEqual(self.files(), [])

    def test_llm_options_need_llm(self):
        for option in (("--words", "1-2"), ("--model", "m"), ("--json",)):
            run = subprocess.run([KVSCOPE, "dataset", "generate", "knowledge", "--out",
                                  str(self.out), *option], capture_output=True, text=True)
            self.assertEqual(run.returncode, USAGE)
            self.assertIn("--llm", run.stderr)

    def test_no_folder(self):
        with StandIn() as model:
            command = self.command(model.url)
            command[command.index("f.jsonl")] = "no/such/f.jsonl"
            run = subprocess.run(command, cwd=self.dir, capture_output=True, text=True)
            self.assertEqual(run.returncode, USAGE)
            self.assertIn("no/such", run.stderr)
            self.assertEqual(model.requests, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
