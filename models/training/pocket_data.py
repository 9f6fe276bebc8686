"""Passages of the pocket suites as training rows.

A row is one passage and its question/answer pairs. A mask hides the pairs from each other and
positions go on from the passage for each of them, so every pair sees what evaluation shows it:
the passage and itself.
"""

import dataclasses
import json
import pathlib
import random
import subprocess
import tempfile

import numpy as np
import torch

from suites import AWARE_LINE, INSTRUCTION, UNKNOWN

COPY_WEIGHT = 0.3  # of looking at the next token to copy, beside looking for the answer

# How a question's answer is found: counted apart, because they are learned at different times.
KINDS = (
    "forward after",
    "forward before",
    "reverse after",
    "reverse before",
    "pronoun",
    "chain",
    "unknown",
    "other",
)


def generate(kvscope, suite, passages, seed, names="training"):
    """The passages of a suite, as `kvscope dataset generate` writes them."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "passages.jsonl"
        subprocess.run(
            [
                kvscope,
                "dataset",
                "generate",
                suite,
                "--scale",
                "pocket",
                "--names",
                names,
                "--seed",
                str(seed),
                "--passages",
                str(passages),
                "--out",
                str(path),
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        return [json.loads(line) for line in path.open(encoding="utf-8")]


def inside(span, end):
    return span[1] <= end


def cut(passage, sentences):
    """The passage's first sentences, and the questions that can be answered from them."""
    context, at = passage["context"], -1
    for _ in range(sentences):
        found = context.find(". ", at + 1)
        if found < 0:
            return passage
        at = found
    end = at + 1
    questions = []
    for question in passage["questions"]:
        evidence = [span for span in question["evidence"] if inside(span, end)]
        if all(inside(span, end) for span in question.get("support", [])) and (
            evidence or not question["evidence"]
        ):
            questions.append(dict(question, evidence=evidence))
    return dict(passage, context=context[:end], questions=questions)


def sentence_of(context, span):
    start = context.rfind(". ", 0, span[0])
    end = context.find(".", span[1] - 1)
    return (start + 2 if start >= 0 else 0, end if end >= 0 else len(context))


def facts_of(context, question):
    """Each of the question's support spans with the answer's span that belongs to it."""
    pairs = []
    for key in question.get("support", []):
        low, high = sentence_of(context, key)
        same = [span for span in question["evidence"] if low <= span[0] and span[1] <= high]
        rest = same or question["evidence"]
        pairs.append((key, min(rest, key=lambda span: abs(span[0] - key[0])) if rest else None))
    return pairs


def pronoun_of(question):
    """ "he" or "she" of "She worked as a baker. Who is she?"; None of other questions."""
    words = question["question"].rsplit(" Who is ", 1)
    return words[1].rstrip("?") if len(words) == 2 else None


@dataclasses.dataclass
class Guide:
    """What training knows about a question's answer besides its text; spans are of the passage's
    characters."""

    kind: str
    looks: list  # for each of the answer's parts: (layers before the last but one ..., spans)
    facts: (
        list  # (later span, earlier span): the later end should hold the earlier one's first token
    )
    key: tuple = None  # the span that the question should be looked up by


def guide_of(context, question):
    """Where the answer's deciding token should look, `looks[part]` = [(layer from the end,
    spans)]."""
    support, evidence = [tuple(s) for s in question.get("support", [])], [
        tuple(s) for s in question["evidence"]
    ]
    if question["answer"] == UNKNOWN:  # nothing to look at: the first token
        return Guide("unknown", [[(2, None)]], [])
    if question["question_type"] == "Part":
        return Guide(
            "other", [[(2, [span])] for span in evidence], list(zip(evidence, support)), support[0]
        )
    if question["hop"] >= 2:  # one link a layer, the last layer finds the answer
        ends = support[1::2] + [facts_of(context, dict(question, support=[support[-1]]))[0][1]]
        return Guide(
            "chain",
            [[(len(ends) - i, [end]) for i, end in enumerate(ends)]],
            list(zip(ends, support[0::2])),
        )
    facts = [(tuple(key), tuple(answer)) for key, answer in facts_of(context, question)]
    after = {key[0] < answer[0] for key, answer in facts}
    kind = (
        f"{question['direction']} {'after' if after == {True} else 'before'}"
        if len(after) == 1
        else "other"
    )
    kind = "pronoun" if pronoun_of(question) else kind
    later = [max(pair) for pair in facts]
    return Guide(kind, [[(2, later)]], [(max(pair), min(pair)) for pair in facts], facts[0][0])


class RowMaker:
    """Turns passages into rows of token ids with their guides."""

    def __init__(self, tokenizer, layers, max_pairs, max_tokens):
        self.tokenizer, self.layers = tokenizer, layers
        self.max_pairs, self.max_tokens = max_pairs, max_tokens
        self.bos, self.eos, self.user, self.assistant = (
            tokenizer.token_to_id(t)
            for t in ("<|begin_of_text|>", "<|end_of_text|>", "<|user|>", "<|assistant|>")
        )
        # Tokens that many answers begin with; the next one takes the decision.
        self.other = {"he": "she", "she": "he"}
        self.pronouns = {word: tokenizer.token_to_id("Ġ" + word) for word in self.other}
        dull = ("Ġ", "Ġthe", "ĠUniversity", "Ġof")
        self.dull = {tokenizer.token_to_id(t) for t in dull} - {None}

    def ids(self, texts):
        return self.tokenizer.encode_batch(texts, add_special_tokens=False)

    def decision(self, ids, start=0):
        return next((i for i in range(start, len(ids)) if ids[i] not in self.dull), start)

    def rows(self, passages, rng, aware_share):
        plans, texts = [], []
        for passage in passages:
            questions = passage["questions"]
            if not questions:
                continue
            aware = rng.random() < aware_share
            asked = rng.sample(questions, min(len(questions), self.max_pairs))
            lines = (
                AWARE_LINE + "\n" + "".join(q["question"] + "\n" for q in questions)
                if aware
                else ""
            )
            head = f"{INSTRUCTION}\n{lines}"
            plans.append((passage, asked, len(head), len(texts)))
            texts.append(f"{head}{passage['context']}\n")
            for question in asked:
                texts += [f"Question: {question['question']}\nAnswer:", " " + question["answer"]]
        encoded = self.ids(texts)
        rows = []
        for passage, asked, shift, at in plans:
            row = self.row(passage, asked, shift, encoded[at : at + 1 + 2 * len(asked)])
            if row is not None:
                rows.append(row)
        return rows

    def row(self, passage, asked, shift, encoded):
        offsets = encoded[0].offsets
        starts = np.array([a for a, _ in offsets]) - shift
        ends = np.array([b for _, b in offsets]) - shift

        def cover(span):  # tokens of the passage, after <bos> and <user>
            return [int(n) + 2 for n in np.flatnonzero((ends > span[0]) & (starts < span[1]))]

        def first(span):  # the token that tells this name from others
            ids_ = [row["ids"][n] for n in cover(span)]
            return ids_[self.decision(ids_)]

        head = [self.bos, self.user] + encoded[0].ids
        row = dict(
            ids=list(head),
            segment=[0] * len(head),
            position=list(range(len(head))),
            weight=[0.0] * len(head),
            pair=[-1] * len(head),
            looks=[],
            facts=[],
            keys=[],
            pronouns=[],
            kinds=[],
            suite=passage["dataset"],
            answers=[],
        )
        for number, question in enumerate(asked):
            prompt = encoded[1 + 2 * number].ids + [self.assistant]
            answer = encoded[2 + 2 * number].ids + [self.eos]
            if len(row["ids"]) + len(prompt) + len(answer) > self.max_tokens:
                break
            guide = guide_of(passage["context"], question)
            begin = len(row["ids"]) + len(prompt)  # where the answer begins
            decisions = [self.decision(answer)]
            if len(guide.looks) == 2:  # "A and B": the second part is decided after "and"
                joint = self.tokenizer.token_to_id("Ġand")
                decisions.append(self.decision(answer, answer.index(joint) + 1))
            for decision, looks in zip(decisions, guide.looks):
                for from_end, spans in looks:
                    goal = (
                        [0, 1]
                        if spans is None
                        else sorted({m for s in spans for n in cover(s) for m in (n, n + 1)})
                    )
                    row["looks"].append((self.layers - from_end, begin + decision - 1, goal, 1.0))
            copied = [cover(span) for span in question["evidence"]]
            for i in range(
                1, len(answer) - 1
            ):  # what is copied is looked for where it is copied from
                goal = [
                    b
                    for tokens in copied
                    for a, b in zip(tokens, tokens[1:])
                    if [row["ids"][a], row["ids"][b]] == answer[i - 1 : i + 1]
                ]
                if goal and i not in decisions:
                    row["looks"].append((self.layers - 2, begin + i - 1, goal, COPY_WEIGHT))
            for later, earlier in guide.facts:
                row["facts"] += [(n, first(earlier)) for n in cover(later)]
            pronoun = pronoun_of(question)
            if pronoun:  # the fact is of the other one where nobody fits
                fact_of = pronoun if question["answer"] != UNKNOWN else self.other[pronoun]
                row["pronouns"].append((begin - 1, self.pronouns[pronoun]))
                for key in question["support"]:
                    row["pronouns"] += [(n, self.pronouns[fact_of]) for n in cover(key)]
            if guide.key is not None:
                row["keys"].append((begin - 1, first(guide.key)))
            row["ids"] += prompt + answer
            row["segment"] += [number + 1] * (len(prompt) + len(answer))
            row["position"] += range(len(head), len(head) + len(prompt) + len(answer))
            row["weight"] += [0.0] * len(prompt) + [
                2.0 if i in decisions else 0.7 for i in range(len(answer))
            ]
            row["pair"] += [-1] * len(prompt) + [number] * len(answer)
            row["kinds"].append(guide.kind)
            row["answers"].append(
                (
                    question["hop"],
                    question["direction"],
                    question["question_type"],
                    question["answer"] == UNKNOWN,
                )
            )
        return row if row["kinds"] else None


@dataclasses.dataclass
class Batch:
    """Rows padded to one length T; pads belong to no segment. Looks and probes are lists over
    the whole batch."""

    ids: torch.Tensor  # [B, T]
    position: torch.Tensor  # [B, T]
    mask: torch.Tensor  # [B, 1, T, T] bool
    weight: torch.Tensor  # [B, T], of predicting this token
    pair: torch.Tensor  # [B, T] number of the pair in the batch, -1 elsewhere
    looks: dict  # layer -> (query [B, Q], goal [B, Q, T] bool, weight [B, Q], 0 at pads)
    facts: tuple  # (row [n], token [n], wanted id [n])
    keys: tuple
    pronouns: tuple  # the same for the pronouns of a fact's subject and of a question
    kinds: list  # of each pair
    suites: list
    answers: list

    @property
    def probed(self):
        """What each probe is asked for."""
        return self.facts, self.keys, self.pronouns

    @staticmethod
    def of(rows, pad):
        count, length = len(rows), -(-max(len(r["ids"]) for r in rows) // 16) * 16
        ids = np.full((count, length), pad, dtype=np.int64)
        segment = np.full((count, length), -1, dtype=np.int16)
        position = np.zeros((count, length), dtype=np.int64)
        weight = np.zeros((count, length), dtype=np.float32)
        pair = np.full((count, length), -1, dtype=np.int64)
        looks, facts, keys, pronouns, kinds, suites, answers = {}, [], [], [], [], [], []
        for b, row in enumerate(rows):
            n = len(row["ids"])
            ids[b, :n], segment[b, :n], position[b, :n], weight[b, :n] = (
                row["ids"],
                row["segment"],
                row["position"],
                row["weight"],
            )
            numbers = np.array(row["pair"])
            pair[b, :n] = np.where(numbers >= 0, numbers + len(kinds), -1)
            for layer, query, goal, weight_ in row["looks"]:
                looks.setdefault(layer, [[] for _ in rows])[b].append((query, goal, weight_))
            facts += [(b, *x) for x in dict.fromkeys(row["facts"])]
            keys += [(b, *x) for x in row["keys"]]
            pronouns += [(b, *x) for x in dict.fromkeys(row["pronouns"])]
            kinds += row["kinds"]
            suites += [row["suite"]] * len(row["kinds"])
            answers += row["answers"]
        segment = torch.from_numpy(segment)
        mask = (segment[:, None, :] == 0) | (segment[:, None, :] == segment[:, :, None])
        mask &= torch.ones(length, length, dtype=torch.bool).tril()
        packed = {layer: Batch.pack(entries, length) for layer, entries in sorted(looks.items())}
        column = lambda entries: tuple(
            torch.tensor([e[i] for e in entries], dtype=torch.long) for i in range(3)
        )
        return Batch(
            torch.from_numpy(ids),
            torch.from_numpy(position),
            mask[:, None],
            torch.from_numpy(weight),
            torch.from_numpy(pair),
            packed,
            column(facts),
            column(keys),
            column(pronouns),
            kinds,
            suites,
            answers,
        )

    @staticmethod
    def pack(entries, length):
        most = max(map(len, entries))
        query, weight = np.zeros((len(entries), most), dtype=np.int64), np.zeros(
            (len(entries), most), dtype=np.float32
        )
        goal = np.zeros((len(entries), most, length), dtype=bool)
        for b, row in enumerate(entries):
            for i, (at, spans, weight_) in enumerate(row):
                query[b, i], weight[b, i] = at, weight_
                goal[b, i, spans] = True
        return torch.from_numpy(query), torch.from_numpy(goal), torch.from_numpy(weight)


def batches_of(rows, tokens, rng, keep_rest=False):
    """Lists of rows of near-equal length, at most `tokens` padded tokens each, in random order."""
    rows = sorted(rows, key=lambda row: len(row["ids"]) + rng.random())
    batches, taken = [], []
    for row in rows:
        length = -(-len(row["ids"]) // 16) * 16
        if taken and length * (len(taken) + 1) > tokens:
            batches.append(taken)
            taken = []
        taken.append(row)
    if taken and keep_rest:
        batches.append(taken)
    rng.shuffle(batches)
    return batches


def mixed_passages(kvscope, counts, seed, level, rng, names="training"):
    """Passages of several suites; below level 1 cut to their first sentences."""
    passages = []
    for suite, count in counts.items():
        for passage in generate(kvscope, suite, count, seed, names) if count else []:
            longest = 3 + round(level * 24)
            passages.append(passage if level >= 1 else cut(passage, rng.randint(2, longest)))
    return passages
