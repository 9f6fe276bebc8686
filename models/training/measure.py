"""Measures a pocket model without compression on held-out passages and prints its card's table.

    python measure.py --kvscope ../../build/release/bin/kvscope --model ../pocket-llama [--check]

KVScope itself decodes: exact match is that of its answer rows. With --check the exit code is 1
where a goal is missed. Needs no package.
"""

import argparse
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

from suites import SUITES, UNKNOWN

# Group -> the lowest share that will do; "abstained" of answerable questions: the highest.
GOALS = {
    "base": 0.95,
    "knowledge": 0.95,
    "multi_presence": 0.95,
    "multi_entity": 0.95,
    "long_context": 0.92,
    "coreference": 0.95,
    "hop 0": 0.98,
    "hop 1": 0.95,
    "hop 2": 0.90,
    "hop 3": 0.75,
    "abstained, unanswerable": 0.90,
}
MOST_ABSTAINED = 0.03
ABSTAINED = "abstained, answerable"
REGIMES = ("agnostic", "aware")


def answer_rows(kvscope, model, passages, seed, folder):
    sweep = folder / "card.yaml"
    datasets = "".join(
        f"  - {{name: {suite}, scale: pocket, passages: {passages}, seed: {seed}}}\n"
        for suite in SUITES
    )
    sweep.write_text(
        f"name: card\nmodel: {model}\ndatasets:\n{datasets}"
        f"regimes: [{', '.join(REGIMES)}]\npresses: [random]\nratios: [0]\n"
        "max_new_tokens: 16\ncapture: {consensus: false}\n",
        encoding="utf-8",
    )
    out = str(folder / "out")
    subprocess.run(
        [kvscope, "run", str(sweep), "--out", out], check=True, stdout=subprocess.DEVNULL
    )
    rows = subprocess.run(
        [kvscope, "results", out, "--level", "answers", "--format", "jsonl"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return [json.loads(line) for line in rows.splitlines()]


def groups_of(row):
    """The card's lines that an answer counts in."""
    suite = row["dataset"]
    yield suite
    yield f"hop {row['hop']}" if suite == "hops" else f"{suite}, {row['direction']}"
    if row["question_type"] != "Standard":
        yield row["question_type"]
    yield "abstained, unanswerable" if row["gold"] == UNKNOWN else ABSTAINED


def tally(rows):
    """(group, regime) -> [right, all]."""
    counts = collections.defaultdict(lambda: [0, 0])
    for row in rows:
        for group in groups_of(row):
            right = row["outcome"] == "unknown" if group == ABSTAINED else row["exact"]
            counts[group, row["regime"]][0] += bool(right)
            counts[group, row["regime"]][1] += 1
    return counts


def reached(group, share):
    return share <= MOST_ABSTAINED if group == ABSTAINED else share >= GOALS.get(group, 0.0)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kvscope", required=True)
    parser.add_argument("--model", required=True, type=pathlib.Path)
    parser.add_argument("--passages", type=int, default=200, help="a suite (default: 200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="exit code 1 where a goal is missed")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = answer_rows(
            args.kvscope, args.model.resolve(), args.passages, args.seed, pathlib.Path(folder)
        )
    counts = tally(rows)
    missed = []
    print("| held-out questions | agnostic | aware | n | goal |\n|---|---|---|---|---|")
    for group in sorted({group for group, _ in counts}):
        cells = []
        for regime in REGIMES:
            right, all_ = counts[group, regime]
            cells.append(f"{right / all_:.3f}")
            if not reached(group, right / all_):
                missed.append(f"{group}, {regime}: {right / all_:.3f}")
        goal = f"at most {MOST_ABSTAINED}" if group == ABSTAINED else GOALS.get(group, "")
        n = counts[group, REGIMES[0]][1]
        print(f"| {group} | {cells[0]} | {cells[1]} | {n:,} | {goal} |")
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if args.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
