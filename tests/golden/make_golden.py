#!/usr/bin/env python3
"""Computes the golden files of forward/ and presses/ anew, with transformers and kvpress.

  make_golden.py --check [--models llama3-tiny,...]   compare with the stored files: exit 1 if
                                                      they differ
  make_golden.py --out DIR [--models ...]             write them below DIR

Needs torch, transformers 5.2.0, kvpress 0.5.5 and safetensors. The inputs (the models with their
random weights, the token ids) are read from the stored files; all else is computed: float32, one
thread, no access to any network. README.md says what each tensor is.
"""

import argparse
import json
import pathlib
import sys

import kvpress
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

HERE = pathlib.Path(__file__).parent
RATIOS = [0.1, 0.3, 0.5, 0.7, 0.9]
LOGIT_STEPS = [0, 1, 3, 7, 15]
RANDOM_SEEDS = {"llama3-tiny": 1011, "qwen2-tiny": 1013}


def scorers(model):
    from kvpress import ExpectedAttentionPress as Expected
    from kvpress import SnapKVPress as SnapKV

    return {
        "knorm": lambda r: kvpress.KnormPress(r),
        "random": lambda r: kvpress.RandomPress(r, seed=RANDOM_SEEDS.get(model, 0)),
        "streaming_llm": lambda r: kvpress.StreamingLLMPress(r),
        "streaming_llm_sink0": lambda r: kvpress.StreamingLLMPress(r, n_sink=0),
        "snapkv": lambda r: SnapKV(r),
        "snapkv_w16": lambda r: SnapKV(r, window_size=16),
        "snapkv_w16_k7": lambda r: SnapKV(r, window_size=16, kernel_size=7),
        "expected_attention": lambda r: Expected(r),
        "expected_attention_novnorm": lambda r: Expected(r, use_vnorm=False),
        "expected_attention_nocov": lambda r: Expected(r, use_covariance=False),
        "expected_attention_sink0": lambda r: Expected(r, n_sink=0),
        "expected_attention_sink9_eps": lambda r: Expected(r, n_sink=9, epsilon=0.01),
        "expected_attention_future16": lambda r: Expected(r, n_future_positions=16),
    }


def presses(model):
    """Name -> ratio -> (press, the scorer inside it)."""
    plain = scorers(model)

    def wrapped(wrap, scorer):
        def make(ratio):
            inner = plain[scorer](ratio)
            return wrap(inner), inner

        return make

    made = {name: wrapped(lambda p: p, name) for name in plain}
    chunk = lambda p: kvpress.ChunkPress(p, chunk_length=64)
    made["chunk_knorm_64"] = wrapped(chunk, "knorm")
    made["chunk_expected_attention_64"] = wrapped(chunk, "expected_attention")
    for scorer in ["expected_attention", "snapkv", "snapkv_w16"]:
        made["adakv_" + scorer] = wrapped(kvpress.AdaKVPress, scorer)
    made["adakv_knorm_safe0"] = wrapped(lambda p: kvpress.AdaKVPress(p, alpha_safeguard=0), "knorm")
    return made


def load_model(name, attention):
    return AutoModelForCausalLM.from_pretrained(
        HERE / "models" / name, dtype=torch.float32, attn_implementation=attention
    ).eval()


def layers_of(cache, part):
    return torch.stack([getattr(layer, part)[0] for layer in cache.layers])


def greedy(model, cache, ids, position, steps, one_at_a_time=False):
    """Feeds `ids` from `position` on, then generates: tokens, margins, logits [steps, vocab]."""
    logits = []
    parts = [ids[i : i + 1] for i in range(len(ids))] if one_at_a_time else [ids]
    while len(logits) < steps:
        for part in parts:
            positions = torch.arange(position, position + len(part))[None]
            out = model(part[None], past_key_values=cache, position_ids=positions)
            position += len(part)
        logits.append(out.logits[0, -1])
        parts = [logits[-1].argmax()[None]]
    logits = torch.stack(logits)
    best = logits.topk(2).values
    return logits.argmax(-1), best[:, 0] - best[:, 1], logits


def forward_case(model, name, stored):
    out = {}
    for x in ["short", "long"]:
        ids = stored[f"{x}.input_ids"]
        run = model(ids[None], output_hidden_states=True, output_attentions=True)
        cache = run.past_key_values
        out[f"{x}.input_ids"] = ids
        if f"{x}.hidden_states" in stored:
            out[f"{x}.hidden_states"] = torch.stack([h[0] for h in run.hidden_states])
            out[f"{x}.keys"] = layers_of(cache, "keys").clone()
            out[f"{x}.values"] = layers_of(cache, "values").clone()
        if x == "short":
            out["short.logits"] = run.logits[0]
            out["short.attentions"] = torch.stack([a[0] for a in run.attentions])
        else:
            out["long.logits_last16"] = run.logits[0, -16:].clone()
        tokens, margin, logits = greedy(model, DynamicCache(), ids, 0, 24)
        out[f"{x}.greedy_tokens"], out[f"{x}.greedy_margin"] = tokens, margin
        out[f"{x}.greedy_logits_last"] = logits[-1].clone()
    out["rope.inv_freq"] = model.model.rotary_emb.inv_freq.float()
    return out


def recorded_scores(scorer, layers):
    """Makes `scorer` note what it returns, before any wrapper changes it: [layers][calls]."""
    noted = [[] for _ in range(layers)]
    score = scorer.score

    def note(module, *args, **kwargs):
        scores = score(module, *args, **kwargs)
        noted[module.layer_idx].append(scores[0].clone())
        return scores

    scorer.score = note
    return noted


def kept_mask(model, cache, full_keys):
    """Which positions are left: a kept key is bit for bit the uncompressed one."""
    layers, heads, tokens, _ = full_keys.shape
    mask = torch.zeros(layers, heads, tokens, dtype=torch.uint8)
    for l, layer in enumerate(model.model.layers):
        dropped = getattr(layer.self_attn, "masked_key_indices", None)
        for h in range(heads):
            same = (cache.layers[l].keys[0, h][:, None] == full_keys[l, h][None]).all(-1)
            mask[l, h] = same.any(0)
        if dropped is not None:
            mask[l, dropped[1], dropped[2]] = 0
    return mask


def ties_and_gaps(scores, mask, grouped, chunk):
    """Exact ties and the smallest gaps between the worst kept and the best dropped score."""
    ties, groups, gaps, relative = 0, 0, [], []
    for l in range(scores.shape[0]):
        for head in [slice(None)] if grouped else range(scores.shape[1]):
            for begin in range(0, scores.shape[2], chunk):
                s = scores[l, head, ..., begin : begin + chunk].flatten()
                m = mask[l, head, ..., begin : begin + chunk].flatten().bool()
                groups += 1
                if m.all() or not m.any():
                    continue
                low, high = s[m].min(), s[~m].max()
                ties += int(low == high)
                gaps.append(float(low - high))
                relative.append(float((low - high) / s.abs().max().clamp(min=1e-30)))
    return ties, groups, min(gaps, default=1.0), min(relative, default=1.0)


def press_case(model, name, make, context):
    ids, question = context["context_ids"], context["question_ids"]
    config = model.config
    out, rows, all_scores = {}, [], {}
    for ratio in RATIOS:
        tag = f"p{ratio:g}"
        press, scorer = make(ratio)
        noted = recorded_scores(scorer, config.num_hidden_layers)

        def prefill():
            cache = DynamicCache()
            with press(model):
                model.model(ids[None], past_key_values=cache)
            return cache

        cache = prefill()
        scores = torch.stack([torch.cat(calls, dim=-1) for calls in noted])
        all_scores[tag] = scores
        mask = kept_mask(model, cache, context["full.keys"])
        masking = name.startswith("adakv")
        one_at_a_time = False
        try:
            answer = greedy(model, cache, question, len(ids), 16)
        except ValueError:  # kvpress finds no fake key for so many queries at once
            one_at_a_time = True
            answer = greedy(model, prefill(), question, len(ids), 16, one_at_a_time=True)
        tokens, margin, logits = answer
        out[f"{tag}.kept_mask"] = mask
        out[f"{tag}.n_kept"] = mask.sum(-1).int()
        if masking:
            out[f"{tag}.masked_pairs"] = (mask == 0).nonzero().short()
        out[f"{tag}.answer_tokens"], out[f"{tag}.answer_margin"] = tokens, margin
        if ratio == 0.5:
            out[f"{tag}.answer_logits"] = logits[LOGIT_STEPS]
        else:
            out[f"{tag}.answer_logits_first"] = logits[0].clone()
        chunk = 64 if name.startswith("chunk") else len(ids)
        ties, groups, gap, relative = ties_and_gaps(scores, mask, masking, chunk)
        rows.append(
            dict(
                model=context["name"],
                press=name,
                param_name="compression_ratio",
                param=ratio,
                tag=tag,
                question_one_token_at_a_time=one_at_a_time,
                question_start=len(ids),
                answer_min_margin=float(margin.min()),
                min_gap=gap,
                min_rel_gap=relative,
                groups_with_exact_tie=ties,
                groups=groups,
            )
        )
    first = next(iter(all_scores.values()))
    same = all(torch.equal(s, first) for s in all_scores.values())
    if same:
        out["scores"] = first
    else:
        out.update({f"{tag}.scores": s for tag, s in all_scores.items()})
    return out, rows


def context_case(model, stored):
    ids, question = stored["context_ids"], stored["question_ids"]
    cache = DynamicCache()
    model.model(ids[None], past_key_values=cache)
    out = {"context_ids": ids, "question_ids": question}
    out["full.keys"] = layers_of(cache, "keys").clone()
    out["full.values"] = layers_of(cache, "values").clone()
    tokens, margin, logits = greedy(model, cache, question, len(ids), 16)
    out["full.answer_tokens"], out["full.answer_margin"] = tokens, margin
    out["full.answer_logits"] = logits[LOGIT_STEPS]
    return out


def pipeline_case(row, models):
    name = row["model"]
    if name not in models:
        tokenizer = AutoTokenizer.from_pretrained(HERE / "models" / name)
        model = load_model(name, "sdpa")
        model.generation_config.eos_token_id = row["eos_token_id"]
        models[name] = kvpress.KVPressTextGenerationPipeline(model=model, tokenizer=tokenizer)
    made = presses(name)
    press = None if row["press"] == "none" else made[row["press"]](row["ratio"])[0]
    answers = models[name](
        row["context"],
        questions=row["questions"],
        press=press,
        max_new_tokens=row["max_new_tokens"],
    )["answers"]
    return {**row, "answers": answers}


def difference(path, made, stored):
    """Lines that say where two sets of tensors differ beyond float noise."""
    lines = []
    for key in sorted(set(made) | set(stored)):
        if key not in made or key not in stored:
            where = "the new" if key in made else "the stored"
            lines.append(f"{path}: {key}: only in {where} file")
            continue
        a, b = made[key], stored[key]
        if a.shape != b.shape:
            lines.append(f"{path}: {key}: shape {tuple(a.shape)}, stored {tuple(b.shape)}")
        elif a.dtype.is_floating_point:
            error = float((a - b).abs().max())
            if error > 1e-3:
                lines.append(f"{path}: {key}: differs by {error:.3g}")
        elif not torch.equal(a.long(), b.long()):
            lines.append(f"{path}: {key}: {int((a.long() != b.long()).sum())} entries differ")
    return lines


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--models", help="comma-separated; default: all")
    args = parser.parse_args()
    if args.check == bool(args.out):
        parser.error("one of --check and --out DIR")
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    findings, files = [], 0

    def finish(path, tensors, stored, **metadata):
        nonlocal files
        files += 1
        if args.check:
            found = difference(path, tensors, stored)
            findings.extend(found)
            print(f"{'DIFFERS' if found else 'same':8}{path}", flush=True)
        else:
            (args.out / path).parent.mkdir(parents=True, exist_ok=True)
            tensors = {key: value.contiguous() for key, value in tensors.items()}
            save_file(tensors, args.out / path, metadata=metadata)

    names = sorted(p.name for p in (HERE / "models").iterdir())
    if args.models:
        names = args.models.split(",")
    for name in names:
        path = f"forward/{name}.safetensors"
        stored = load_file(HERE / path)
        finish(path, forward_case(load_model(name, "eager"), name, stored), stored, model=name)
        folder = HERE / "presses" / name
        if not folder.exists():
            continue
        model = load_model(name, "sdpa")
        stored = load_file(folder / "_context.safetensors")
        context = {**context_case(model, stored)}
        finish(f"presses/{name}/_context.safetensors", context, stored)
        kept_rows = json.loads((folder / "cases.json").read_text())
        rows = []
        for press, make in presses(name).items():
            path = f"presses/{name}/{press}.safetensors"
            if not (HERE / path).exists():
                continue
            tensors, made = press_case(model, press, make, {**context, "name": name})
            finish(path, tensors, load_file(HERE / path), model=name, press=press)
            rows += made
        if args.check:
            find = {(row["press"], row["tag"]): row for row in kept_rows}
            for row in rows:
                old = find[row["press"], row["tag"]]
                for key in ["question_start", "groups_with_exact_tie", "groups"]:
                    if row[key] != old[key]:
                        findings.append(
                            f"cases.json: {row['press']} {row['tag']}: {key} {row[key]}, "
                            f"stored {old[key]}"
                        )
        else:
            path = args.out / "presses" / name / "cases.json"
            path.write_text(json.dumps(rows, indent=1) + "\n")

    models, rows = {}, []
    for row in json.loads((HERE / "presses" / "pipeline.json").read_text()):
        ours = row["press"] == "none" or row["press"] in presses(row["model"])
        if row["model"] in names and ours:
            rows.append(pipeline_case(row, models))
            answers = rows[-1]["answers"]
            if answers != row["answers"]:
                findings.append(f"pipeline.json: {row['model']} {row['press']}: {answers}")
    if args.out:
        (args.out / "presses" / "pipeline.json").write_text(json.dumps(rows) + "\n")
    print("\n".join(findings))
    print(f"{files} files and {len(rows)} pipeline rows, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
