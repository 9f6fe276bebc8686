"""Trains a pocket model on the generated suites, on a CPU, from random weights.

    python train.py --family llama --kvscope ../../build/release/bin/kvscope \
        --tokenizer OUT/tokenizer --out OUT/llama

Interrupted, the same command goes on where the last state was saved. Evaluation draws held-out
names only; training never sees one. Each of `--procs` processes uses one thread and its own
batches; their gradients are averaged.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import time

import torch
import torch.distributed
import torch.multiprocessing
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import nn

import pocket_data
from pocket_model import PocketModel, Shape, save_checkpoint
from suites import PROMPT, SUITES

# Passages of each suite in a pool, at the curriculum's start and end: first what a type alone
# cannot answer.
START = dict(multi_entity=6, base=2, knowledge=2, multi_presence=1)
END = dict(
    base=1.0,
    knowledge=1.3,
    multi_presence=1.0,
    multi_entity=1.9,
    long_context=1.3,
    coreference=1.8,
    hops=2.2,
)
POOL = 240  # passages
PROBE_LAYER = 2
# What products are computed in: a CPU without instructions for bfloat16 emulates it at a fortieth
# of its speed.
FAST = torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32


class Muon(torch.optim.Optimizer):
    """Momentum whose matrices are orthogonalised (Jordan et al. 2024), equal shapes at once;
    updates have the root mean square of 0.2 that AdamW's have (Liu et al. 2025,
    arXiv:2502.16982)."""

    def __init__(self, matrices, lr, momentum=0.95, weight_decay=0.02):
        shapes = collections.defaultdict(list)
        for matrix in matrices:
            shapes[tuple(matrix.shape)].append(matrix)
        super().__init__(
            [dict(params=group) for group in shapes.values()],
            dict(lr=lr, momentum=momentum, decay=weight_decay),
        )

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            gradients = torch.stack([p.grad for p in group["params"]])
            state = self.state[group["params"][0]]
            momentum = state.setdefault("momentum", torch.zeros_like(gradients))
            momentum.lerp_(gradients, 1 - group["momentum"])
            update = self.orthogonal(gradients.lerp(momentum, group["momentum"]))
            update *= 0.2 * max(update.shape[-2:]) ** 0.5
            for parameter, change in zip(group["params"], update):
                parameter.mul_(1 - group["lr"] * group["decay"]).sub_(change, alpha=group["lr"])

    @staticmethod
    def orthogonal(x):
        """Five Newton-Schulz steps towards the nearest orthogonal matrix of each [n, rows,
        columns]."""
        turned = x.shape[-2] > x.shape[-1]
        x = x.mT if turned else x
        x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
        x = x.to(FAST)
        for _ in range(5):
            gram = x @ x.mT
            x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
        return (x.mT if turned else x).float()


def loss_of(model, probes, batch, args, looking):
    """The loss; and for each question/answer pair whether all of its tokens, and whether its
    deciding ones, are right."""
    with torch.autocast("cpu", FAST, enabled=FAST is not torch.float32):
        hidden, seeks, middle = model(
            batch.ids, batch.position, batch.mask, batch.looks if looking else None, PROBE_LAYER
        )
        wanted = batch.weight[:, 1:] > 0
        logits = model.logits(hidden[:, :-1][wanted])
        extra = torch.zeros(())
        for probe, (row, token, goal) in zip(probes, batch.probed) if looking else ():
            if len(row):
                extra = extra + args.probe * F.cross_entropy(
                    probe(F.rms_norm(middle[row, token], middle.shape[-1:])).float(), goal
                )
    target, weight, pair = (
        batch.ids[:, 1:][wanted],
        batch.weight[:, 1:][wanted],
        batch.pair[:, 1:][wanted],
    )
    losses = F.cross_entropy(logits.float(), target, reduction="none")
    loss = (losses * weight).sum() / weight.sum() + extra
    if seeks:
        loss = loss + args.look * sum(seeks.values())
    right = logits.argmax(-1) == target
    exact = torch.ones(len(batch.kinds), dtype=torch.bool).scatter_reduce(0, pair, right, "amin")
    chosen = torch.ones(len(batch.kinds), dtype=torch.bool).scatter_reduce(
        0, pair, right | (weight < 1), "amin"
    )
    return loss, exact, chosen, seeks


def share(counts, key):
    right, all_ = counts[key]
    return right / max(1, all_)


@torch.no_grad()
def evaluate(model, batches):
    """Exact match by suite, by hop, and of abstention: greedy decoding yields the gold answer
    exactly if it is right everywhere along it."""
    counts = collections.defaultdict(lambda: [0, 0])
    for batch in batches:
        with torch.autocast("cpu", FAST, enabled=FAST is not torch.float32):
            hidden, _, _ = model(batch.ids, batch.position, batch.mask)
            wanted = batch.weight[:, 1:] > 0
            predicted = model.logits(hidden[:, :-1][wanted]).argmax(-1)
        right = predicted == batch.ids[:, 1:][wanted]
        exact = torch.ones(len(batch.kinds), dtype=torch.bool).scatter_reduce(
            0, batch.pair[:, 1:][wanted], right, "amin"
        )
        for suite, kind, (hop, direction, question_type, unknown), ok in zip(
            batch.suites, batch.kinds, batch.answers, exact.tolist()
        ):
            keys = [suite, kind, f"{suite} {direction}", question_type] + (
                [f"hop {hop}"] if suite == "hops" else []
            )
            for key in keys + (["abstains"] if unknown else []):
                counts[key][0] += ok
                counts[key][1] += 1
    return {key: (round(right / all_, 4), all_) for key, (right, all_) in sorted(counts.items())}


class Run:
    """The state of a training run in one process."""

    def __init__(self, rank, args):
        self.rank, self.args = rank, args
        self.tokenizer = Tokenizer.from_file(str(args.tokenizer / "tokenizer.json"))
        torch.manual_seed(args.seed)
        shape = Shape(args.family, self.tokenizer.get_vocab_size(), layers=args.layers)
        self.model = PocketModel(shape)
        self.probes = nn.ModuleList(
            nn.Linear(shape.hidden, shape.vocabulary, bias=False) for _ in range(3)
        )
        matrices = [p for p in self.model.layers.parameters() if p.ndim == 2]
        known = {id(p) for p in matrices}
        rest = [
            p for p in [*self.model.parameters(), *self.probes.parameters()] if id(p) not in known
        ]
        self.parameters = matrices + rest
        self.optimizers = [
            Muon(matrices, args.lr),
            torch.optim.AdamW(rest, lr=args.lr, betas=(0.9, 0.98), weight_decay=0.0),
        ]
        self.maker = pocket_data.RowMaker(self.tokenizer, shape.layers, args.pairs, args.max_tokens)
        self.step, self.pools, self.level, self.seconds = 0, 0, args.start, 0.0
        self.running = {kind: 0.0 for kind in pocket_data.KINDS}
        self.state_path = args.out / "state.pt"

    def load(self):
        if not self.state_path.exists():
            return
        state = torch.load(self.state_path)
        self.model.load_state_dict(state["model"])
        self.probes.load_state_dict(state["probes"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"]):
            optimizer.load_state_dict(saved)
        self.step, self.pools, self.level, self.seconds, self.running = (
            state[k] for k in ("step", "pools", "level", "seconds", "running")
        )

    def save(self):
        state = dict(
            model=self.model.state_dict(),
            probes=self.probes.state_dict(),
            step=self.step,
            pools=self.pools,
            optimizers=[o.state_dict() for o in self.optimizers],
            level=self.level,
            seconds=self.seconds,
            running=self.running,
        )
        torch.save(state, self.state_path.with_suffix(".new"))
        os.replace(self.state_path.with_suffix(".new"), self.state_path)
        save_checkpoint(
            self.model,
            self.tokenizer,
            self.args.tokenizer,
            PROMPT,
            self.args.out / "checkpoint",
        )

    def pool(self):
        """The next batches; they depend on seed, process, pool and level only."""
        rng = random.Random(f"{self.args.seed}/{self.rank}/{self.pools}")
        t = self.level
        blend = {
            s: (1 - t) * START.get(s, 0) / sum(START.values()) + t * END[s] / sum(END.values())
            for s in SUITES
        }
        counts = {s: round(POOL * x) for s, x in blend.items()}
        # seeds from 1,000 on: lower ones are for evaluation
        seed = 1000 + self.args.seed * 1_000_000 + self.pools * self.args.procs + self.rank
        passages = pocket_data.mixed_passages(self.args.kvscope, counts, seed, t, rng)
        self.pools += 1
        rows = self.maker.rows(passages, rng, self.args.aware * min(1.0, t * 2))
        return pocket_data.batches_of(rows, self.args.batch_tokens, rng)

    def held_out(self, aware):
        rng = random.Random(0)
        counts = {suite: self.args.eval_passages for suite in SUITES}
        passages = pocket_data.mixed_passages(
            self.args.kvscope, counts, 5, 1.0, rng, names="heldout"
        )
        rows = pocket_data.RowMaker(self.tokenizer, self.model.shape.layers, 100, 1024).rows(
            passages, rng, 1.0 if aware else 0.0
        )
        return [
            pocket_data.Batch.of(batch, self.maker.eos)
            for batch in pocket_data.batches_of(rows, 8192, rng, keep_rest=True)
        ]

    def rate(self):
        progress = self.step / self.args.steps
        return (
            self.args.lr
            * min(1.0, (self.step + 1) / 30)
            * max(0.01, min(1.0, (1 - progress) / self.args.decay))
        )

    def average(self, stats):
        """Gradients and statistics, averaged over the processes."""
        if self.args.procs == 1:
            return stats
        flat = torch.cat([p.grad.reshape(-1) for p in self.parameters] + [stats.reshape(-1)])
        torch.distributed.all_reduce(flat)
        *gradients, total = (flat / self.args.procs).split(
            [p.numel() for p in self.parameters] + [stats.numel()]
        )
        for parameter, gradient in zip(self.parameters, gradients):
            parameter.grad.copy_(gradient.view_as(parameter))
        return total.view_as(stats)

    def advance(self, batch):
        """One step.  Returns [kinds, 3]: pairs decided rightly, wholly right, and all of them."""
        for group in (g for o in self.optimizers for g in o.param_groups):
            group["lr"] = self.rate()
        looking = self.step < self.args.guided * self.args.steps
        loss, exact, chosen, seeks = loss_of(self.model, self.probes, batch, self.args, looking)
        loss.backward()
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        stats = torch.zeros(len(pocket_data.KINDS), 3)
        for kind, a, b in zip(batch.kinds, chosen.tolist(), exact.tolist()):
            stats[pocket_data.KINDS.index(kind)] += torch.tensor([a, b, 1.0])
        stats = self.average(stats)
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        for kind, (right, _, all_) in zip(pocket_data.KINDS, stats.tolist()):
            if all_:
                self.running[kind] += (
                    min(1.0, all_ / 60) * 0.1 * (right / all_ - self.running[kind])
                )
        self.climb()
        return stats, loss.item(), {layer: seek.item() for layer, seek in seeks.items()}

    def climb(self):
        """Passages grow while the answers of the worst kind hold up; a floor sees to it that
        they get there."""
        if min(self.running["forward after"], self.running["reverse before"]) > self.args.gate:
            self.level = min(1.0, self.level + self.args.climb)
        progress = self.step / self.args.steps
        self.level = max(self.level, min(1.0, (progress - 0.25) / 0.3))


def train(rank, args):
    torch.set_num_threads(1)
    if args.procs > 1:
        torch.distributed.init_process_group(
            "gloo", init_method=f"tcp://127.0.0.1:{args.port}", rank=rank, world_size=args.procs
        )
    run = Run(rank, args)
    run.load()
    if rank == 0:
        print(
            f"{sum(p.numel() for p in run.model.parameters()):,} parameters; from step {run.step}",
            flush=True,
        )
    begin, tokens, total, losses, looked = (
        time.time() - run.seconds,
        0,
        0,
        [],
        collections.defaultdict(list),
    )
    batches, last_saved = [], time.time()
    while run.step < args.steps:
        if not batches:
            run.seconds = time.time() - begin
            if rank == 0 and time.time() - last_saved > args.save_every:
                run.save()
                last_saved = time.time()
            batches = run.pool()
            continue
        batch = pocket_data.Batch.of(batches.pop(), run.maker.eos)
        stats, loss, seeks = run.advance(batch)
        total, tokens = total + stats, tokens + batch.ids.numel() * args.procs
        losses.append(loss)
        for layer, value in seeks.items():
            looked[layer].append(value)
        if rank == 0 and run.step % 25 == 0:
            seconds = time.time() - begin
            kinds = " | ".join(
                f"{kind} {a / max(1e-9, n):.2f} {b / max(1e-9, n):.2f}"
                for kind, (a, b, n) in zip(pocket_data.KINDS, total.tolist())
                if n
            )
            looks = " ".join(
                f"{layer}:{sum(v) / len(v):.2f}" for layer, v in sorted(looked.items())
            )
            print(
                f"{seconds / 60:6.1f} min  step {run.step}  level {run.level:.2f}  "
                f"lr {run.rate():.1e}  loss {sum(losses) / len(losses):.3f}  "
                f"look {looks}  {kinds}  {tokens / seconds:.0f} tokens/s",
                flush=True,
            )
            total, losses, looked = 0, [], collections.defaultdict(list)
        if run.step % args.eval_every == 0 or run.step == args.steps:
            if rank == 0:
                for aware in (False, True):
                    figures = evaluate(run.model, run.held_out(aware))
                    print(
                        "   held out,",
                        "aware" if aware else "agnostic",
                        json.dumps({k: v[0] for k, v in figures.items()}),
                        flush=True,
                    )
    run.seconds = time.time() - begin
    if rank == 0:
        run.save()
        print(f"done: {run.step} steps, {run.seconds / 60:.0f} minutes", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--family", choices=("llama", "qwen2"), default="llama")
    parser.add_argument(
        "--kvscope", required=True, help="the kvscope program, which generates the passages"
    )
    parser.add_argument("--tokenizer", required=True, type=pathlib.Path)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--procs", type=int, default=2)
    parser.add_argument("--port", type=int, default=29517)
    for name, default, text in (
        ("layers", 6, "decoder layers"),
        ("seed", 1, "of weights and passages"),
        ("steps", 6000, "in all"),
        ("batch_tokens", 4096, "padded tokens a process and step"),
        ("pairs", 12, "question/answer pairs a row, at most"),
        ("max_tokens", 800, "a row, at most"),
        ("lr", 3e-3, "the highest learning rate"),
        ("decay", 0.4, "share of the steps at the end that it falls in"),
        ("aware", 0.4, "share of rows with the questions listed"),
        ("probe", 0.3, "weight of the probes"),
        ("look", 0.5, "weight of the attention aid"),
        ("guided", 0.85, "share of the steps with probes and aid"),
        ("start", 0.0, "the curriculum's first level"),
        ("gate", 0.9, "accuracy that lets it climb"),
        ("climb", 0.005, "a step"),
        ("eval_every", 500, "steps"),
        ("eval_passages", 12, "a suite"),
        ("save_every", 120, "seconds"),
    ):
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=type(default),
            default=default,
            help=f"{text} (default: {default})",
        )
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.procs > 1:
        torch.multiprocessing.spawn(train, (args,), args.procs)
    else:
        train(0, args)


if __name__ == "__main__":
    main()
