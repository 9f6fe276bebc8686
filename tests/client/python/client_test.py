#!/usr/bin/env python3
"""The Python client against a cluster of real processes.

usage: KVSCOPE=build/release/bin/kvscope KVSCOPE_SOURCE=. client_test.py [TestCase...]
"""

import environment

environment.enter("client", environment.CLIENT)

import asyncio  # noqa: E402
import hashlib  # noqa: E402
import io  # noqa: E402
import json  # noqa: E402
import pathlib  # noqa: E402
import socket  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
import unittest  # noqa: E402

from cluster import KVSCOPE, SOURCE, Cluster, run_kvscope  # noqa: E402

sys.path.insert(0, str(SOURCE / "services" / "client" / "python"))

import pandas  # noqa: E402

import kvscope  # noqa: E402

NAMES = ("Falwyn Belmont", "Darias Fenwick", "Orelle Selcroft", "Ralina Corski")
CITIES = ("Delgate", "Vershire", "Valton", "Ormouth")


def passages(count):
    return [
        {
            "passage_id": f"p{i}",
            "context": f"{NAMES[i % 4]} was born on {i % 28 + 1} August 19{i % 90 + 10}. They "
            f"lived in {CITIES[i % 4]}. They worked as a farmer.",
            "questions": [
                {
                    "question": f"When was {NAMES[i % 4]} born?",
                    "answer": f"{i % 28 + 1} August 19{i % 90 + 10}",
                    "direction": "forward",
                    "hop": 1,
                },
                {"question": f"Where did {NAMES[i % 4]} live?", "answer": CITIES[i % 4]},
            ],
        }
        for i in range(count)
    ]


def spec(count=4, **changes):
    return {
        "name": "tiny",
        "model": "pocket-llama",
        "datasets": [kvscope.Rows("tiny", passages(count))],
        "presses": ["knorm", "snapkv(window_size=8)"],
        "ratios": [0, 0.5, 0.9],
        "max_new_tokens": 12,
        **changes,
    }


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def told_once(case, infos):
    """Nothing is told twice, and what is done never becomes less."""
    for before, after in zip(infos, infos[1:]):
        case.assertNotEqual(before, after)
        case.assertLessEqual(before.progress.units_done, after.progress.units_done)


class WithCluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(Cluster())

    def setUp(self):
        self.client = self.enterContext(kvscope.Client(self.cluster.address))
        self.dir = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))


class Submit(WithCluster):
    def test_a_sweep_from_start_to_end(self):
        sweep = self.client.submit(spec())
        self.assertIn(sweep.info.state, (kvscope.State.CHECKING, kvscope.State.RUNNING))
        infos = list(sweep.watch())
        told_once(self, infos)
        self.assertEqual(infos[-1].state, kvscope.State.SUCCEEDED)
        self.assertEqual(infos[-1].progress.answers_done, 4 * 2 * 2 * 3)
        self.assertEqual(infos[-1].progress.fraction, 1)
        self.assertEqual(infos[-1].presses, ("knorm", "snapkv(window_size=8)"))
        answers = sweep.results("answers").to_pandas()
        full = answers[answers.compression_ratio == 0]
        self.assertGreater(full.f1.mean(), 0.8)
        self.assertEqual({s.id for s in self.client.sweeps()} & {sweep.id}, {sweep.id})
        self.assertEqual(self.client.sweep(sweep.id).info, sweep.refresh())
        self.assertEqual(len(sweep.units()), infos[-1].progress.units_total)
        self.assertEqual(set(sweep.units().to_pandas().state), {"done"})

    def test_the_same_sweep_again_is_the_same(self):
        first = self.client.submit(spec(3))
        first.wait()
        self.assertEqual(self.client.submit(spec(3)).id, first.id)
        self.assertEqual(self.client.submit(kvscope.SweepSpec.parse(spec(3))).id, first.id)
        self.assertNotEqual(self.client.submit(spec(2)).id, first.id)
        other = self.client.submit(spec(3), request_id="another")
        self.assertNotEqual(other.id, first.id)
        with self.assertRaises(kvscope.AlreadyExistsError):
            self.client.submit(spec(2), request_id="another")
        self.assertEqual(other.wait().progress.units_reused, other.info.progress.units_total)

    def test_models_and_priorities(self):
        models = {model.name: model for model in self.client.models()}
        self.assertLessEqual({"pocket-llama", "pocket-qwen2"}, set(models))
        self.assertEqual(models["pocket-llama"].model_type, "llama")
        self.assertGreater(models["pocket-llama"].weights_bytes, 1 << 20)
        sweep = self.client.submit(spec(1, name="later"), priority=-5)
        self.assertEqual((sweep.info.priority, sweep.info.owner), (-5, ""))
        with self.assertRaisesRegex(kvscope.InvalidArgumentError, "priority: is 101"):
            self.client.submit(spec(1, name="never"), priority=101)

    def test_a_file_is_read_as_the_command_line_reads_it(self):
        lines = "".join(json.dumps(p) + "\n\n" for p in passages(5))
        (self.dir / "mine.jsonl").write_text("\ufeff" + lines, encoding="utf-8")
        (self.dir / "sweep.yaml").write_text(
            "name: from-a-file\n"
            "model: some/where/pocket-llama/\n"
            "seed: 3  # of the generated passages too\n"
            "datasets:\n"
            "  - {file: mine.jsonl, passages: 4}\n"
            "  - {name: knowledge, passages: 2}\n"
            "  - {name: hops, scale: pocket, passages: 1, seed: 2}\n"
            "regimes: [aware, agnostic]\n"
            'presses: [" knorm ", "adakv(expected_attention)"]\n'
            "ratios: [0.5, 0, 9e-1]\n"
            "max_new_tokens: 8\n"
            'prompt: {question_prefix: "Question: "}\n'
            "capture: {consensus: true, graph: {passages: 1}, heatmaps: {passages: 1},\n"
            "          probes: {pool: mean, layers: [2, 0]}}\n"
            'score: {correct: 0.6, abstentions: ["no answer"]}\n'
        )
        sweep = self.client.submit(self.dir / "sweep.yaml", command=str(KVSCOPE))
        self.assertEqual(sweep.info.datasets, ("mine", "knowledge", "hops"))
        run_kvscope(
            "run", "sweep.yaml", "--connect", self.cluster.address, "--out", "out", cwd=self.dir
        )
        told = json.loads((self.dir / "out" / "sweep.json").read_text())
        self.assertEqual(told["sweep_id"], sweep.id)  # the request id hashes the whole spec

    def test_ready_made_sweeps_are_read(self):
        for file in sorted((SOURCE / "sweeps").glob("*.yaml")):
            read = kvscope.SweepSpec.load(file)
            self.assertGreater(len(read.datasets), 0, file)
            read.to_proto([])

    def test_large_data_sets_travel_in_parts(self):
        long = passages(40)
        for passage in long:
            passage["context"] += " They liked the sea." * 4_000  # 3 MiB in all
        rows = kvscope.Rows("long", long)
        sweep = self.client.submit(spec(datasets=[rows], name="too-long"))
        with self.assertRaises(kvscope.SweepFailedError) as caught:  # of the model's window
            sweep.wait()
        self.assertIn("context", str(caught.exception))

    def test_cancel_resume_delete(self):
        sweep = self.client.submit(spec(400, name="cancelled"))
        self.assertEqual(sweep.cancel().state, kvscope.State.CANCELLED)
        with self.assertRaises(kvscope.SweepCancelledError):
            sweep.wait()
        self.assertEqual(sweep.cancel().state, kvscope.State.CANCELLED)
        again = self.client.submit(spec(400, name="cancelled"))  # goes on
        self.assertEqual(again.id, sweep.id)
        self.assertFalse(again.info.state.ended)
        with self.assertRaises(kvscope.FailedPreconditionError):
            sweep.delete()
        sweep.cancel()
        sweep.delete()
        with self.assertRaises(kvscope.NotFoundError):
            sweep.refresh()


class Results(WithCluster):
    def csv(self, sweep, *arguments):
        text = run_kvscope(
            "results", sweep.id, "--connect", self.cluster.address, "--format", "csv", *arguments,
            cwd=self.dir,
        )  # fmt: skip
        return pandas.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""])

    def assert_same(self, table, csv):
        frame = table.to_pandas()
        self.assertEqual(list(frame.columns), list(csv.columns))
        self.assertEqual(len(frame), len(csv))
        self.assertGreater(len(frame), 0)
        for name in frame.columns:
            ours, theirs = list(frame[name]), list(csv[name])
            for a, b in zip(ours, theirs):
                if isinstance(a, list):
                    numbers = json.loads(b)
                    numbers = [float("nan") if number is None else number for number in numbers]
                    self.assertEqual(repr(a), repr([float(number) for number in numbers]), name)
                elif a in (None, "") or a != a:
                    self.assertTrue(pandas.isna(b), f"{name}: {a!r} {b!r}")
                else:
                    self.assertEqual(a, b, name)

    def test_data_frames_hold_what_the_command_line_prints(self):
        capture = {"graph": {"passages": 2}, "heatmaps": {"passages": 1}}
        sweep = self.client.submit(
            spec(model=["pocket-llama", "pocket-qwen2"], capture=capture, regimes=["aware"])
        )
        sweep.wait()
        self.assert_same(sweep.results("answers"), self.csv(sweep, "--level", "answers"))
        self.assert_same(sweep.results(), self.csv(sweep))
        by = ["direction", "hop"]
        self.assert_same(sweep.results(by=by), self.csv(sweep, "--by", ",".join(by)))
        answers = sweep.results("answers").to_pandas()
        self.assertTrue(answers.routes_defined.notna().any())
        self.assertTrue(answers.routes_defined.isna().any())
        self.assertEqual(answers.f1.dtype, "float64")
        self.assertEqual(answers.kept_bytes.dtype, "int64")
        self.assertEqual(answers.exact.dtype, "bool")
        row = next(iter(sweep.results("answers")))
        self.assertEqual(row["sweep_id"], sweep.id)

    def test_heatmaps_agree_with_the_answers(self):
        sweep = self.client.submit(spec(capture={"heatmaps": {"passages": 1}}, name="maps"))
        sweep.wait()
        maps = sweep.heatmaps()
        self.assertEqual(len(maps), 2 * 3)
        answers = sweep.results("answers").to_pandas()
        for found in maps:
            self.assertEqual(found.keep.shape[2], len(found.tokens))
            same = answers[
                (answers.press == found.press)
                & (answers.compression_ratio == found.compression_ratio)
                & (answers.passage_id == found.passage_id)
            ]
            self.assertEqual(set(same.context_tokens), {len(found.tokens)})
            self.assertEqual(set(same.kept_ratio), {found.keep.mean()})
            answer = "".join(found.tokens[i] for i in found.answer_tokens)
            self.assertIn(same.gold.iloc[0].split()[-1][-2:], answer)

    def test_probes_are_fitted(self):
        rows = passages(24)
        for i, passage in enumerate(rows):
            for question, kind in zip(passage["questions"], ("Dates/Times", "Location")):
                question["answer_type"] = kind
        data = [kvscope.Rows("typed", rows)]
        capture = {"probes": {"pool": "last"}}
        sweep = self.client.submit(spec(datasets=data, capture=capture, name="probes"))
        sweep.wait()
        probes = sweep.probes([0]).to_pandas()
        self.assertEqual(set(probes.compression_ratio), {0})
        self.assertLessEqual({"", "Dates/Times", "Location"}, set(probes.tag))
        best = probes[(probes.tag == "") & (probes.press == "knorm")].f1.max()
        self.assertGreater(best, 0.9)  # the question itself tells the type
        self.assertIn(-1, set(probes.layer))
        bare = self.client.submit(spec())
        bare.wait()
        with self.assertRaisesRegex(kvscope.FailedPreconditionError, "hidden states|probes"):
            bare.probes()

    def test_words_are_checked(self):
        sweep = self.client.submit(spec())
        with self.assertRaisesRegex(kvscope.InvalidArgumentError, "level: is .rows., must be"):
            sweep.results("rows")
        with self.assertRaisesRegex(kvscope.InvalidArgumentError, "by: parts cells"):
            sweep.results("answers", by=["hop"])
        with self.assertRaisesRegex(kvscope.InvalidArgumentError, "group_by.0.: is .size."):
            sweep.results(by=["size"])


class Broken(unittest.TestCase):
    """What breaks on the way."""

    def test_watch_goes_on_where_the_orchestrator_was_killed(self):
        with Cluster() as cluster, kvscope.Client(cluster.address) as client:
            sweep = client.submit(spec(600))
            infos = []
            killed_at = None
            for info in sweep.watch():
                infos.append(info)
                if killed_at is None and info.progress.answers_done > 0:
                    cluster.kill_orchestrator()
                    killed_at = len(infos)
                    threading.Timer(1, cluster.start_orchestrator).start()
            told_once(self, infos)
            self.assertEqual(infos[-1].state, kvscope.State.SUCCEEDED)
            self.assertEqual(infos[-1].progress.answers_done, 600 * 12)
            before = infos[killed_at - 1].progress
            self.assertLess(before.units_done, before.units_total)  # it was killed on the way
            self.assertEqual(len(sweep.results("answers")), 600 * 12)
            self.assertEqual(client.submit(spec(600)).id, sweep.id)

    def test_calls_wait_for_a_server_that_comes_back(self):
        with Cluster(workers=0) as cluster, kvscope.Client(cluster.address) as client:
            sweep = client.submit(spec())
            for call in (sweep.refresh, lambda: client.submit(spec()), lambda: sweep.results()):
                cluster.kill_orchestrator()
                threading.Timer(0.7, cluster.start_orchestrator).start()
                began = time.monotonic()
                call()
                self.assertGreater(time.monotonic() - began, 0.5)

    def test_a_rate_limit_slows_but_breaks_nothing(self):
        with Cluster(workers=0, flags=("--rate-limit", "4")) as cluster:
            with kvscope.Client(cluster.address) as client:
                began = time.monotonic()
                sweep = client.submit(spec())
                for _ in range(12):
                    sweep.refresh()
                self.assertGreater(time.monotonic() - began, 1.5)

    def test_patience_ends(self):
        with Cluster(workers=0) as cluster:
            with kvscope.Client(cluster.address, timeout=1) as client:
                sweep = client.submit(spec())
                watch = sweep.watch(patience=1.5)
                next(watch)
                cluster.kill_orchestrator()
                began = time.monotonic()
                with self.assertRaisesRegex(kvscope.UnavailableError, "tried for 1.5 s"):
                    list(watch)
                self.assertLess(time.monotonic() - began, 5)
                for call in (sweep.cancel, lambda: sweep.results("answers"),
                             lambda: client.submit(spec(2))):  # fmt: skip
                    with self.assertRaisesRegex(kvscope.UnavailableError, "tried for 1 s"):
                        call()
                self.assertLess(time.monotonic() - began, 20)


class Refusals(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def refused(self, kind, says, call):
        with self.assertRaisesRegex(kind, says) as caught:
            call()
        self.assertIsInstance(caught.exception, kvscope.KvscopeError)
        self.assertNotIn("\n", str(caught.exception))

    def test_nobody_answers(self):
        address = f"127.0.0.1:{free_port()}"
        began = time.monotonic()
        with kvscope.Client(address, connect_timeout=1) as client:
            self.refused(
                kvscope.UnavailableError,
                f"no server answers at {address} .tried for 1 s.: .*refused",
                lambda: client.sweep("x"),
            )
        self.assertLess(time.monotonic() - began, 4)
        with socket.socket() as mute:  # takes connections and says nothing
            mute.bind(("127.0.0.1", 0))
            mute.listen()
            address = "127.0.0.1:%d" % mute.getsockname()[1]
            with kvscope.Client(address, connect_timeout=1) as client:
                self.refused(
                    kvscope.UnavailableError,
                    f"no server answers at {address}",
                    lambda: client.sweep("x"),
                )

    def test_addresses_and_files(self):
        for address in ("localhost", "localhost:", ":1", "::1:7", "a/b:1", "h:99999", "h:x"):
            self.refused(
                kvscope.InvalidArgumentError,
                "is no address: it must be HOST:PORT",
                lambda: kvscope.Client(address),
            )
        self.refused(
            kvscope.InvalidArgumentError,
            "refusing to connect to 10.0.0.1:7400 without encryption: .*insecure=True",
            lambda: kvscope.Client("10.0.0.1:7400"),
        )
        for address in ("127.8.8.8:1", "[::1]:1", "localhost:1"):
            kvscope.Client(address).close()
        kvscope.Client("10.0.0.1:7400", insecure=True).close()
        self.refused(
            kvscope.NotFoundError,
            "tls_ca: /none: No such file",
            lambda: kvscope.Client("h:1", tls_ca="/none"),
        )
        self.refused(
            kvscope.InvalidArgumentError,
            "tls_cert and tls_key: give both",
            lambda: kvscope.Client("h:1", tls_cert="/none"),
        )
        self.refused(
            kvscope.InvalidArgumentError,
            "refusing to connect to h:1 without encryption: .*listens in could use the token",
            lambda: kvscope.Client("h:1", insecure=True, token="a"),
        )
        (self.dir / "token").write_text("two words")
        self.refused(
            kvscope.InvalidArgumentError,
            "token_file: .*: must hold one token and nothing else",
            lambda: kvscope.Client(token_file=self.dir / "token"),
        )
        self.refused(
            kvscope.InvalidArgumentError,
            "token and token_file: give one",
            lambda: kvscope.Client("h:1", insecure=True, token="a", token_file="b"),
        )

    def test_sweep_files(self):
        good = "name: a\nmodel: m\ndatasets: [{file: d.jsonl}]\npresses: [knorm]\nratios: [0.5]\n"
        path = self.dir / "s.yaml"
        for text, says in (
            (good + "pressses: [a]\n", 's.yaml:6: unknown key "pressses"; did you mean "presses"'),
            (good + "ratios: [1]\n", "s.yaml:6: ratios: is given twice"),
            (good.replace("name: a\n", ""), "s.yaml:1: name: is missing and has no default"),
            (good.replace("[0.5]", '["0.5"]'), 'ratios.0.: is "0.5", must be a number'),
            (good.replace("[0.5]", "[]"), "ratios: is an empty list"),
            (good.replace("[0.5]", "0.5"), 'ratios: is "0.5", must be a list'),
            (good + "seed: -1\n", "seed: is .-1., must be a whole number from 0"),
            (good + "capture: {consensus: yes}\n", "consensus: is .yes., must be true or false"),
            (good + "regimes: [awre]\n", 'regimes.0.: is "awre"; did you mean "aware"'),
            (good + "prompt: [a]\n", "prompt: is a list, must be a map"),
            (good.replace("{file: d.jsonl}", "{}"), "datasets.0.: needs either name"),
            (good.replace("d.jsonl", "d.jsonl, seed: 1"), "datasets.0..seed: stands beside file"),
            (good.replace("model: m", "model: [a/m, b/m]"), "are both called m on a cluster"),
            ("a: [", "s.yaml:.*is not valid YAML"),
            ("", "the sweep is empty, must be a map"),
            (good + "---\na: 1\n", "is not valid YAML: but found another document"),
        ):
            path.write_text(text)
            self.refused(
                kvscope.InvalidArgumentError,
                says,
                lambda: kvscope.SweepSpec.load(path).to_proto([]),
            )
        path.write_bytes(b"name: \xff\n")
        self.refused(
            kvscope.InvalidArgumentError,
            "byte 6 is not UTF-8",
            lambda: kvscope.SweepSpec.load(path),
        )
        self.refused(
            kvscope.NotFoundError, "no sweep file", lambda: kvscope.SweepSpec.load(self.dir)
        )

    def test_passages(self):
        question = {"question": "q?", "answer": "a"}
        with Cluster(workers=0) as cluster, kvscope.Client(cluster.address) as client:
            for row, says in (
                ("[]", ":2: is a list, must be an object"),
                ("{", ":2: is not JSON"),
                ({"context": 3}, ":2: context: is 3, must be text"),
                ({"context": "c", "qestions": []}, 'unknown key "qestions"; did you mean'),
                ({"context": "c", "questions": [{}]}, r"questions\[0\].question: is missing"),
                (
                    {"context": "c", "questions": [{**question, "hop": "1"}]},
                    r"questions\[0\].hop: is \"1\", must be a whole number",
                ),
                (
                    {"context": "c", "questions": [{**question, "evidence": [[1]]}]},
                    r"questions\[0\].evidence\[0\]: is a list, must be \[start, end\]",
                ),
                # What only the orchestrator knows.
                ({"context": "c", "questions": []}, r"passages\[1\]: questions: has no element"),
                (
                    {"context": "c", "questions": [{**question, "evidence": [[0, 9]]}]},
                    r"passages\[1\]: questions\[0\].evidence\[0\]: is \[0,9\]",
                ),
                (
                    {"context": "c", "questions": [{**question, "direction": "up"}]},
                    "must be forward or reverse",
                ),
            ):
                line = row if isinstance(row, str) else json.dumps(row)
                data = self.dir / "d.jsonl"
                data.write_text(json.dumps(passages(1)[0]) + "\n" + line + "\n")
                wanted = spec(datasets=[{"file": str(data)}])
                self.refused(kvscope.InvalidArgumentError, says, lambda: client.submit(wanted))
            data.write_text("\n")
            self.refused(
                kvscope.InvalidArgumentError, "holds no passage", lambda: client.submit(wanted)
            )
            data.unlink()
            self.refused(
                kvscope.NotFoundError,
                r"datasets\[0\].file: .*d.jsonl: No such file",
                lambda: client.submit(wanted),
            )
            generated = spec(datasets=[{"name": "hops", "passages": 2}])
            self.refused(
                kvscope.NotFoundError,
                r"datasets\[0\]: hops is generated by the kvscope command, but there is no /none/k",
                lambda: client.submit(generated, command="/none/k"),
            )
            generated["datasets"][0]["name"] = "hopps"
            self.refused(
                kvscope.InvalidArgumentError,
                r"datasets\[0\]: .*did you mean .hops.",
                lambda: client.submit(generated, command=str(KVSCOPE)),
            )
            self.assertEqual(list(client.sweeps()), [])

    def test_what_the_cluster_refuses(self):
        with Cluster() as cluster, kvscope.Client(cluster.address) as client:
            for changes, says in (
                ({"ratios": [0.5, 1.5]}, r"ratios\[1\]: is 1.5"),
                ({"name": "a b"}, "name: must have"),
                ({"score": {"correct": 0.2, "partial": 0.4}}, "partial_above_f1: is 0.4"),
            ):
                with self.assertRaisesRegex(kvscope.InvalidArgumentError, says) as caught:
                    client.submit(spec(**changes))
                self.assertEqual(caught.exception.code, "INVALID_ARGUMENT")
            with self.assertRaisesRegex(kvscope.NotFoundError, "no model .no-model.; it has poc"):
                client.submit(spec(model="no-model"))
            sweep = client.submit(spec(presses=["nonesuch"]))
            with self.assertRaisesRegex(kvscope.SweepFailedError, "nonesuch") as caught:
                sweep.wait()
            self.assertEqual(caught.exception.info.state, kvscope.State.FAILED)
            with self.assertRaisesRegex(kvscope.NotFoundError, "nothing-of-that-name"):
                client.sweep("nothing-of-that-name")


class Secure(unittest.TestCase):
    """TLS with certificates of both sides, and tokens."""

    @classmethod
    def setUpClass(cls):
        cls.dir = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.authority("ca")
        cls.authority("other")
        cls.certificate("server", "ca", "subjectAltName=DNS:cluster.example")
        cls.certificate("me", "ca", "subjectAltName=DNS:me")
        cls.tokens = {name: f"token-of-{name}" for name in ("reader", "submitter", "worker")}
        roles = {"reader": "read", "submitter": "submit", "worker": "worker"}
        (cls.dir / "table").write_text(
            "".join(
                f"{name} {roles[name]} {hashlib.sha256(token.encode()).hexdigest()}\n"
                for name, token in cls.tokens.items()
            )
        )
        flags = ("--tls-cert", cls.dir / "server.pem", "--tls-key", cls.dir / "server.key",
                 "--tls-ca", cls.dir / "ca.pem", "--token-file", cls.dir / "table")  # fmt: skip
        cls.cluster = cls.enterClassContext(Cluster(workers=0, flags=flags))

    @classmethod
    def openssl(cls, *words):
        subprocess.run(["openssl", *map(str, words)], cwd=cls.dir, check=True, capture_output=True)

    @classmethod
    def authority(cls, name):
        cls.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", 2, "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                    "-out", f"{name}.pem")  # fmt: skip

    @classmethod
    def certificate(cls, name, authority, extension):
        (cls.dir / "extension").write_text(extension)
        cls.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                    "-out", "request")  # fmt: skip
        cls.openssl("x509", "-req", "-in", "request", "-CA", f"{authority}.pem", "-CAkey",
                    f"{authority}.key", "-CAcreateserial", "-days", 2, "-extfile", "extension",
                    "-out", f"{name}.pem")  # fmt: skip

    def connect(self, **changes):
        files = {name: self.dir / f"{name}.pem" for name in ("ca", "me", "other")}
        options = {
            "tls_ca": files["ca"],
            "tls_cert": files["me"],
            "tls_key": self.dir / "me.key",
            "tls_server_name": "cluster.example",
            "token": self.tokens["submitter"],
            "connect_timeout": 1,
            **changes,
        }
        return self.enterContext(kvscope.Client(self.cluster.address, **options))

    def test_submitters_submit_and_readers_read(self):
        sweep = self.connect().submit(spec())
        (self.dir / "token").write_text(self.tokens["reader"] + "\n")
        reader = self.connect(token=None, token_file=self.dir / "token")
        self.assertEqual(reader.sweep(sweep.id).id, sweep.id)
        self.assertEqual(sweep.info.owner, "submitter")
        self.assertEqual(len(reader.sweep("tiny").results()), 6)
        for call in (
            lambda: reader.submit(spec(name="mine")),
            lambda: reader.sweep(sweep.id).cancel(),
            lambda: reader.sweep(sweep.id).delete(),
        ):
            with self.assertRaises(kvscope.PermissionDeniedError):
                call()
        (self.dir / "token").write_text(self.tokens["submitter"] + "\n")  # is read anew
        self.assertEqual(reader.sweep(sweep.id).cancel().state, kvscope.State.CANCELLED)

    def test_others_are_refused(self):
        for changes in ({"token": None}, {"token": "wrong"}):
            with self.assertRaises(kvscope.UnauthenticatedError):
                list(self.connect(**changes).sweeps())
        with self.assertRaises(kvscope.PermissionDeniedError):
            list(self.connect(token=self.tokens["worker"]).sweeps())
        for changes in (
            {"tls_ca": self.dir / "other.pem"},
            {"tls_server_name": "elsewhere.example"},
            {"tls_cert": None, "tls_key": None},
            {"tls_cert": None, "tls_key": None, "tls_ca": None},  # plaintext
        ):
            with self.assertRaisesRegex(kvscope.UnavailableError, "no server answers at"):
                list(self.connect(**changes).sweeps())

    def test_errors_name_the_field(self):
        with self.assertRaises(kvscope.InvalidArgumentError) as caught:
            self.connect().submit(spec(ratios=[0.5, 1.5]))
        (violation,) = caught.exception.violations
        self.assertEqual(violation.field, "spec.ratios[1]")
        self.assertIn("is 1.5", violation.description)


class Async(unittest.IsolatedAsyncioTestCase):
    async def test_a_sweep_from_start_to_end(self):
        with Cluster() as cluster:
            async with kvscope.AsyncClient(cluster.address) as client:
                capture = {"heatmaps": {"passages": 1}}
                sweep, other = await asyncio.gather(
                    client.submit(spec(capture=capture)),
                    client.submit(spec(name="other", datasets=[{"name": "hops", "passages": 1}]),
                                  command=str(KVSCOPE)),
                )  # fmt: skip
                infos = [info async for info in sweep.watch()]
                told_once(self, infos)
                self.assertEqual(infos[-1].state, kvscope.State.SUCCEEDED)
                await other.wait()
                self.assertEqual((await client.submit(spec(capture=capture))).id, sweep.id)
                self.assertEqual([s.id async for s in client.sweeps()], [other.id, sweep.id])
                with kvscope.Client(cluster.address) as plain:
                    same = plain.sweep(sweep.id)
                    for level in ("cells", "answers"):
                        ours = (await sweep.results(level)).to_pandas()
                        pandas.testing.assert_frame_equal(ours, same.results(level).to_pandas())
                    self.assertEqual(len(await sweep.heatmaps()), len(same.heatmaps()))
                    self.assertEqual(list(await sweep.units()), list(same.units()))
                with self.assertRaises(kvscope.FailedPreconditionError):
                    await sweep.probes()
                await sweep.delete()
                with self.assertRaises(kvscope.NotFoundError):
                    await client.sweep(sweep.id)

    async def test_watch_goes_on_where_the_orchestrator_was_killed(self):
        with Cluster() as cluster:
            async with kvscope.AsyncClient(cluster.address) as client:
                sweep = await client.submit(spec(600))
                infos = []
                killed = False
                async for info in sweep.watch():
                    infos.append(info)
                    if not killed and info.progress.answers_done > 0:
                        cluster.kill_orchestrator()
                        killed = True
                        threading.Timer(1, cluster.start_orchestrator).start()
                told_once(self, infos)
                self.assertEqual(infos[-1].progress.answers_done, 600 * 12)
                cluster.kill_orchestrator()
                threading.Timer(0.7, cluster.start_orchestrator).start()
                self.assertEqual((await sweep.refresh()).state, kvscope.State.SUCCEEDED)

    async def test_errors(self):
        async with kvscope.AsyncClient(f"127.0.0.1:{free_port()}", connect_timeout=1) as client:
            with self.assertRaisesRegex(kvscope.UnavailableError, "no server answers at"):
                await client.sweep("x")
        with Cluster(workers=0) as cluster:
            async with kvscope.AsyncClient(cluster.address, timeout=5) as client:
                bad = spec(datasets=[kvscope.Rows("bad", [*passages(2), {"context": 1}])])
                with self.assertRaisesRegex(
                    kvscope.InvalidArgumentError, r"datasets\[0\]\[2\]: context: is 1"
                ):
                    await client.submit(bad)
                refused = [{**passages(1)[0], "questions": []}, *passages(3000)]
                with self.assertRaisesRegex(kvscope.InvalidArgumentError, "has no element"):
                    await client.submit(spec(datasets=[kvscope.Rows("bad", refused)]))
                with self.assertRaisesRegex(kvscope.InvalidArgumentError, r"ratios\[0\]"):
                    await client.submit(spec(ratios=[2]))


if __name__ == "__main__":
    unittest.main()
