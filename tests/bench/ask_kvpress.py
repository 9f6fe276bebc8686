"""Asks kvpress as its users do, one pipeline call a passage, press and ratio, and times each call.

  ask_kvpress.py JOB.json > RESULT.json

The job names a model, a dtype, the threads, the passages and the cells. This is a process of its
own, so that its peak memory is that of kvpress alone. Loading the model is timed apart, and a call
on a short text comes before the first that counts.
"""

import json
import os
import pathlib
import sys
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import kvpress
import torch
import transformers
from kvpress import ExpectedAttentionPress as Expected
from transformers import AutoModelForCausalLM, AutoTokenizer

# KVScope's expression -> the same press of kvpress.
PRESSES = {
    "chunk(expected_attention(n_sink=0), chunk_length=64)": lambda r: kvpress.ChunkPress(
        Expected(r, n_sink=0), chunk_length=64
    ),
    "adakv(expected_attention)": lambda r: kvpress.AdaKVPress(Expected(r)),
    "expected_attention": lambda r: Expected(r),
}


def peak_bytes():
    status = pathlib.Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def ask(pipe, job, cell, passage):
    """The seconds of one call and its answers; both None where kvpress finds no fake key."""
    press = PRESSES[cell["press"]](cell["ratio"]) if cell["ratio"] > 0 else None
    begin = time.perf_counter()
    try:
        answers = pipe(
            passage["context"],
            questions=passage["questions"],
            press=press,
            max_new_tokens=job["max_new_tokens"],
        )["answers"]
    except ValueError as error:
        if "fake keys" not in str(error):
            raise
        return {"seconds": None, "answers": None}
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "answers": [answer.strip() for answer in answers]}


def token_counts(pipe, passage):
    """Tokens of the context, of each question, and of all questions with equal starts shared."""
    ids = pipe.preprocess(passage["context"], passage["questions"], "", max_context_length=10**9)
    questions = [question[0].tolist() for question in ids["questions_ids"]]
    starts = {tuple(q[: i + 1]) for q in questions for i in range(len(q))}
    return {
        "context": ids["context_ids"].shape[1],
        "questions": [len(question) for question in questions],
        "distinct_question_tokens": len(starts),
    }


def main():
    job = json.loads(pathlib.Path(sys.argv[1]).read_text())
    torch.set_num_threads(job["threads"])
    torch.set_grad_enabled(False)
    torch.set_flush_denormal(True)

    begin = time.perf_counter()
    model = AutoModelForCausalLM.from_pretrained(
        job["model"], dtype=getattr(torch, job["dtype"]), attn_implementation="sdpa"
    ).eval()
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    pipe = kvpress.KVPressTextGenerationPipeline(model=model, tokenizer=tokenizer)
    load_s = time.perf_counter() - begin

    pipe("A short text to begin with.", questions=["What?"], max_new_tokens=2)
    calls = []
    for cell in job["cells"]:
        for index, passage in enumerate(job["asked_passages"]):
            calls.append({**cell, "passage": index, **ask(pipe, job, cell, passage)})
    result = {
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
        "load_s": load_s,
        "calls": calls,
        "tokens": [token_counts(pipe, passage) for passage in job["passages"]],
        "peak_bytes": peak_bytes(),
    }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
