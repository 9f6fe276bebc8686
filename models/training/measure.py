"""Measures a pocket model without compression on held-out passages and prints the table of its
card.

    python measure.py --kvscope ../../build/release/bin/kvscope --model ../pocket-llama

KVScope itself decodes: exact match is that of its answer rows.
"""

import argparse
import collections
import json
import pathlib
import subprocess
import tempfile

import pocket_data

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
}


def answer_rows(kvscope, model, passages, seed, folder):
    sweep = folder / "card.yaml"
    datasets = "\n".join(
        f"  - {{name: {suite}, scale: pocket, passages: {passages}, seed: {seed}}}"
        for suite in pocket_data.SUITES
    )
    sweep.write_text(
        f"name: card\nmodel: {model}\ndatasets:\n{datasets}\nregimes: [agnostic, aware]\n"
        "presses: [random]\n"
        "ratios: [0]\nmax_new_tokens: 16\ncapture: {consensus: false}\n",
        encoding="utf-8",
    )
    subprocess.run(
        [kvscope, "run", str(sweep), "--out", str(folder / "out")],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    rows = subprocess.run(
        [kvscope, "results", str(folder / "out"), "--level", "answers", "--format", "jsonl"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return [json.loads(line) for line in rows.splitlines()]


def groups_of(row):
    """The card's lines that an answer counts in."""
    suite, unknown = row["dataset"], row["gold"] == pocket_data.UNKNOWN
    yield suite
    if suite == "hops":
        yield f"hop {row['hop']}"
    else:
        yield f"{suite}, {row['direction']}"
    if row["question_type"] != "Standard":
        yield row["question_type"]
    yield "unanswerable, abstained" if unknown else "answerable, abstained"


def tally(rows):
    counts = collections.defaultdict(lambda: [0, 0])
    for row in rows:
        for group in groups_of(row):
            right = (
                row["outcome"] == "unknown" if group == "answerable, abstained" else row["exact"]
            )
            counts[group, row["regime"]][0] += bool(right)
            counts[group, row["regime"]][1] += 1
    return counts


def table(counts):
    lines = ["| held-out questions | agnostic | aware | n | goal |", "|---|---|---|---|---|"]
    for group in sorted({group for group, _ in counts}):
        shares = [
            f"{counts[group, regime][0] / counts[group, regime][1]:.3f}"
            for regime in ("agnostic", "aware")
        ]
        goal = {"unanswerable, abstained": "0.90", "answerable, abstained": "at most 0.03"}.get(
            group, GOALS.get(group, "")
        )
        lines.append(
            f"| {group} | {shares[0]} | {shares[1]} | {counts[group, 'agnostic'][1]:,} | {goal} |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kvscope", required=True)
    parser.add_argument("--model", required=True, type=pathlib.Path)
    parser.add_argument("--passages", type=int, default=200, help="a suite")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = answer_rows(
            args.kvscope, args.model.resolve(), args.passages, args.seed, pathlib.Path(folder)
        )
    print(table(tally(rows)))


if __name__ == "__main__":
    main()
