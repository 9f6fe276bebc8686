#!/usr/bin/env python3
"""The living oracle: the same questions through kvpress's own pipeline and through KVScope.

  compare_kvpress.py [--kvscope build/release/bin/kvscope] [--model DIR] [--passages 8]

Prints the share of answers that are the same text, and every answer that is not, with both texts
and kvpress's margin (best minus second logit) at the first token where they part. Exit code 1 if
the share is below --min-share. Needs torch, transformers 5.2.0 and kvpress 0.5.5; runs on the CPU
in float32 and touches no network.

Reported apart, since they say nothing about KVScope: answers for which kvpress finds no fake key
(AdaKV masks by a key that must lose against every query of the question at once), answers whose
first token is an end token, which kvpress overlooks and generates on, and answers after a cut
through equal scores (expected attention of a chunk may underflow to 0 everywhere): which of them
kvpress keeps is whatever order topk has, KVScope keeps the earlier tokens.
"""

import argparse
import collections
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import kvpress
import torch
from kvpress import ExpectedAttentionPress as Expected
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]

SUITES = "base knowledge multi_presence multi_entity long_context coreference hops".split()

# KVScope's canonical expression -> the same press of kvpress. SnapKV's window is narrower than what
# the highest ratio keeps: else all that is kept ties, and kvpress's choice among ties is arbitrary.
PRESSES = {
    "adakv(expected_attention)": lambda r: kvpress.AdaKVPress(Expected(r)),
    "chunk(expected_attention(n_sink=0), chunk_length=64)": lambda r: kvpress.ChunkPress(
        Expected(r, n_sink=0), chunk_length=64
    ),
    "snapkv(window_size=4)": lambda r: kvpress.SnapKVPress(r, window_size=4),
    "expected_attention": lambda r: Expected(r),
    "knorm": lambda r: kvpress.KnormPress(r),
    "streaming_llm": lambda r: kvpress.StreamingLLMPress(r),
}
PAPER = {
    "instruction": "Read the following text and answer briefly based on it. "
    "Return only the answer. Do not generate extra.",
    "aware_line": "You will be given one of the following questions:",
    "question_prefix": "",
    "question_suffix": "",
    "answer_prefix": "",
}


class CutTies:
    """While entered, notes whether a topk cut through equal values: the last one chosen and the
    first one left are the same."""

    def __enter__(self):
        self.found = False
        self.own = torch.topk, torch.Tensor.topk
        # A plain function, which a tensor binds to itself.
        torch.topk = torch.Tensor.topk = lambda *args, **kwargs: self.topk(*args, **kwargs)
        return self

    def __exit__(self, *unused):
        torch.topk, torch.Tensor.topk = self.own

    def topk(self, values, k, dim=-1, largest=True, sorted=True):
        if 0 < k < values.shape[dim]:
            edge = self.own[0](values, k + 1, dim, largest).values
            last, first_left = (edge.select(dim, i) for i in (k - 1, k))
            self.found |= bool((last == first_left).any())
        return self.own[0](values, k, dim, largest, sorted)


class Oracle:
    """kvpress's pipeline, noting each generated token and its margin."""

    def __init__(self, model_dir):
        model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(model_dir)
        self.pipe = kvpress.KVPressTextGenerationPipeline(model=model, tokenizer=self.tokenizer)
        self.steps = []
        model.register_forward_hook(self.note)
        generate = self.pipe.generate_answer

        def one_answer(**kwargs):
            self.steps.append([])
            return generate(**kwargs)

        self.pipe.generate_answer = one_answer
        end = model.generation_config.eos_token_id
        self.end = set(end if isinstance(end, list) else [end])

    def note(self, model, args, output):
        best = output.logits[0, -1].sort(descending=True)
        self.steps[-1].append((int(best.indices[0]), float(best.values[0] - best.values[1])))

    def answers(self, context, questions, press, prompt, max_new_tokens):
        """For each question (text, steps, whether the press cut through a tie), or None where
        kvpress finds no fake key."""
        self.steps = []
        try:
            with CutTies() as ties:
                texts = self.pipe(
                    context,
                    questions=questions,
                    press=press,
                    answer_prefix=prompt["answer_prefix"],
                    max_new_tokens=max_new_tokens,
                )["answers"]
            return [(text.strip(), steps, ties.found) for text, steps in zip(texts, self.steps)]
        except ValueError:
            if len(questions) == 1:
                return [None]
            return [self.answers(context, [q], press, prompt, max_new_tokens)[0] for q in questions]

    def margin_where_parted(self, steps, other):
        for i in range(len(steps)):
            ids = [token for token, _ in steps[: i + 1]]
            text = self.tokenizer.decode(ids, skip_special_tokens=True).lstrip()
            if not other.startswith(text) or steps[i][0] in self.end:
                return steps[i][1]
        return steps[-1][1]


def contexts(row, regime, prompt):
    """What kvpress is given: [(context, [index of question])]."""
    asked = [q["question"] for q in row["questions"]]
    head, tail = prompt["instruction"] + "\n", row["context"] + "\n"
    listed = lambda qs: prompt["aware_line"] + "\n" + "".join(q + "\n" for q in qs)
    if regime == "agnostic":
        return [(head + tail, range(len(asked)))]
    if regime == "aware":
        return [(head + listed(asked) + tail, range(len(asked)))]
    return [(head + listed([q]) + tail, [i]) for i, q in enumerate(asked)]


def run_kvscope(args, data, work):
    sweep = {
        "name": "compare-kvpress",
        "model": str(args.model),
        "device": "cpu",
        "dtype": "float32",
        "datasets": [{"file": str(data)}],
        "regimes": args.regimes,
        "presses": args.presses,
        "ratios": args.ratios,
        "max_new_tokens": args.max_new_tokens,
    }
    path = work / "sweep.yaml"
    path.write_text(json.dumps(sweep))  # JSON is YAML
    out = work / "run"
    subprocess.run([args.kvscope, "run", path, "--out", out], check=True)
    results = subprocess.run(
        [args.kvscope, "results", out, "--level", "answers", "--format", "jsonl"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return [json.loads(line) for line in results.stdout.splitlines() if line.strip()]


class Findings:
    def __init__(self):
        self.same = collections.Counter()  # by (regime, press)
        self.compared = collections.Counter()
        self.apart = collections.Counter()  # by (press, why)
        self.differing = []


def ask_kvpress(args, rows, prompt, ours):
    """Asks kvpress everything and takes each answer of ours out of `ours`."""
    oracle = Oracle(args.model)
    found = Findings()
    for regime, name, ratio in itertools.product(args.regimes, args.presses, args.ratios):
        for row in rows:
            for context, which in contexts(row, regime, prompt):
                asked = [row["questions"][i] for i in which]
                texts = [
                    prompt["question_prefix"] + q["question"] + prompt["question_suffix"]
                    for q in asked
                ]
                press = PRESSES[name](ratio)
                answers = oracle.answers(context, texts, press, prompt, args.max_new_tokens)
                for question, answer in zip(asked, answers):
                    key = (regime, name, ratio, question["question_id"])
                    our = ours.pop(key)
                    if answer is None:
                        found.apart[name, "no fake key"] += 1
                        continue
                    text, steps, tied = answer
                    if steps[0][0] in oracle.end:
                        found.apart[name, "end token first"] += 1
                        continue
                    if tied:
                        found.apart[name, "a cut through equal scores"] += 1
                        continue
                    found.compared[regime, name] += 1
                    found.same[regime, name] += text == our
                    if text != our:
                        margin = oracle.margin_where_parted(steps, our)
                        found.differing.append((*key, our, text, margin))
    return found


def generated_data(args, work):
    """`args.passages` passages of each suite at the pocket models' scale."""
    rows = []
    for suite in SUITES:
        path = work / f"{suite}.jsonl"
        command = [args.kvscope, "dataset", "generate", suite, "--scale", "pocket", "--seed", "1"]
        subprocess.run([*command, "--passages", str(args.passages), "--out", path], check=True)
        rows += [json.loads(line) for line in path.read_text().splitlines()]
    return rows


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kvscope", default=ROOT / "build/release/bin/kvscope")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/pocket-llama")
    parser.add_argument("--data", type=pathlib.Path, help="a data set; default: generated passages")
    parser.add_argument("--passages", type=int, default=8, help="of each suite")
    parser.add_argument("--questions", type=int, default=5, help="at most so many of a passage")
    parser.add_argument("--regimes", nargs="+", default=["agnostic", "aware_each"])
    parser.add_argument("--presses", nargs="+", default=list(PRESSES)[:3], choices=list(PRESSES))
    parser.add_argument("--ratios", nargs="+", type=float, default=[0.3, 0.5, 0.7, 0.9])
    parser.add_argument("--max-new-tokens", type=int, default=24)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--min-share", type=float, default=0.995)
    return parser.parse_args()


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    work = pathlib.Path(tempfile.mkdtemp(prefix="compare-kvpress-"))
    if args.data:
        rows = [json.loads(line) for line in args.data.read_text().splitlines() if line.strip()]
    else:
        rows = generated_data(args, work)
    for n, row in enumerate(rows):
        row["passage_id"] = f"p{n}"
        row["questions"] = row["questions"][: args.questions]
        for i, question in enumerate(row["questions"]):
            question["question_id"] = f"p{n}q{i}"
    data = work / "questions.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    pieces = args.model / "kvscope.json"
    prompt = {**PAPER, **(json.loads(pieces.read_text())["prompt"] if pieces.exists() else {})}

    begin = time.monotonic()
    key = lambda r: (r["regime"], r["press"], float(r["compression_ratio"]), r["question_id"])
    ours = {key(r): r["answer"] for r in run_kvscope(args, data, work)}
    kvscope_s = time.monotonic() - begin

    begin = time.monotonic()
    found = ask_kvpress(args, rows, prompt, ours)
    kvpress_s = time.monotonic() - begin

    for regime, name, ratio, question, our, text, margin in found.differing:
        print(f"differs: {regime} {name} {ratio} {question}, margin {margin:.2g}")
        print(f"  ours {our!r}, kvpress {text!r}")
    for (name, why), count in sorted(found.apart.items()):
        print(f"apart: {name}: {count} answers: {why}")
    for key in sorted(found.compared):
        print(f"{' '.join(key)}: {found.same[key]} of {found.compared[key]} the same")
    if ours:
        print(f"{len(ours)} answers of KVScope belong to no question, such as {next(iter(ours))}")
    compared = sum(found.compared.values())
    share = sum(found.same.values()) / max(1, compared)
    questions = sum(len(row["questions"]) for row in rows)
    print(
        f"{questions} questions, {compared} answers compared: {share:.4%} the same; "
        f"KVScope {kvscope_s:.1f} s, kvpress {kvpress_s:.1f} s ({args.threads} threads)"
    )
    return 0 if share >= args.min_share and not ours else 1


if __name__ == "__main__":
    sys.exit(main())
