#!/usr/bin/env python3
"""Builds the tokenizer.json files of Llama 3 and Qwen2.5, which are too large to keep here.

    python tests/golden/make_real_tokenizers.py OUT_DIR    # needs pip and the package `tokenizers`
    KVSCOPE_REAL_TOKENIZERS=OUT_DIR ctest -R RealTokenizer

The vocabularies come out of two wheels (llama-models 0.3.0, dashscope 2.0.2) that `pip download`
fetches. Their checksums and those of the results are in tokenizers/real_info.json; a mismatch
fails. `--wheels DIR` takes wheels that are already there. Each folder also gets a
tokenizer_config.json with the chat template of tokenizers/*/chat.json.
"""

import argparse
import base64
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors

HERE = pathlib.Path(__file__).resolve().parent
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def fetch(wheels, requirement, member):
    """Returns the bytes of `member` in the wheel of `requirement` (NAME==VERSION)."""
    name, version = requirement.split("==")
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    if not list(wheels.glob(pattern)):
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels)]
        subprocess.run(command + [requirement], check=True)
    with zipfile.ZipFile(next(wheels.glob(pattern))) as wheel:
        return wheel.read(member)


def read_ranks(data):
    pairs = (line.split() for line in data.splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in pairs}


def byte_to_char():
    """GPT-2's byte alphabet: printable bytes stand for themselves, the rest from U+0100 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {b: chr(b) for b in plain}
    for b in range(256):
        if b not in table:
            table[b] = chr(0x100 + len(table) - len(plain))
    return table


def all_splits(ranks):
    """Every way to cut a token into two others, by rank: the merges of Llama 3's tokenizer.json."""
    merges = []
    for token, _ in sorted(ranks.items(), key=lambda item: item[1]):
        cuts = ((token[:i], token[i:]) for i in range(1, len(token)))
        known = [cut for cut in cuts if cut[0] in ranks and cut[1] in ranks]
        merges += sorted(known, key=lambda cut: (ranks[cut[0]], ranks[cut[1]]))
    return merges


def last_merge(ranks):
    """The one merge that made each token (BPE below its rank leaves two parts): Qwen's merges."""
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        parts = [token[i : i + 1] for i in range(len(token))]
        while len(parts) > 2:
            merged = [ranks.get(a + b, rank) for a, b in zip(parts, parts[1:])]
            best = merged.index(min(merged))
            parts[best : best + 2] = [parts[best] + parts[best + 1]]
        if len(parts) == 2:
            merges.append(tuple(parts))
    return merges


def bpe(ranks, merges, ignore_merges):
    table = byte_to_char()
    text = lambda token: "".join(table[b] for b in token)
    vocab = {text(token): rank for token, rank in ranks.items()}
    pairs = [(text(a), text(b)) for a, b in merges]
    return Tokenizer(models.BPE(vocab=vocab, merges=pairs, ignore_merges=ignore_merges))


def splitter(digits, trim_offsets):
    split = pre_tokenizers.Split(Regex(SPLIT.replace("DIGITS", digits)), behavior="isolated")
    level = pre_tokenizers.ByteLevel(
        add_prefix_space=False, trim_offsets=trim_offsets, use_regex=False
    )
    return pre_tokenizers.Sequence([split, level])


def special(content, is_special=True):
    return AddedToken(content, normalized=False, special=is_special)


def llama3(ranks):
    tokenizer = bpe(ranks, all_splits(ranks), ignore_merges=True)
    tokenizer.pre_tokenizer = splitter(r"\p{N}{1,3}", trim_offsets=True)
    tokenizer.decoder = decoders.ByteLevel()
    named = {0: "begin_of_text", 1: "end_of_text", 4: "finetune_right_pad_id"}
    named |= {6: "start_header_id", 7: "end_header_id", 8: "eom_id", 9: "eot_id", 10: "python_tag"}
    reserved = iter(range(256))
    names = [named.get(i) or f"reserved_special_token_{next(reserved)}" for i in range(256)]
    tokenizer.add_special_tokens([special(f"<|{name}|>") for name in names])
    bos = "<|begin_of_text|>"
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(
            single=f"{bos} $A",
            pair=f"{bos} $A {bos}:1 $B:1",
            special_tokens=[(bos, tokenizer.token_to_id(bos))],
        ),
    ])
    return tokenizer, {"bos_token": bos, "eos_token": "<|eot_id|>"}


def qwen25(ranks):
    tokenizer = bpe(ranks, last_merge(ranks), ignore_merges=False)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = splitter(r"\p{N}", trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = "endoftext im_start im_end object_ref_start object_ref_end box_start box_end quad_start"
    names += " quad_end vision_start vision_end vision_pad image_pad video_pad"
    tokenizer.add_special_tokens([special(f"<|{name}|>") for name in names.split()])
    plain = "<tool_call> </tool_call> <|fim_prefix|> <|fim_middle|> <|fim_suffix|> <|fim_pad|>"
    plain += " <|repo_name|> <|file_sep|>"
    tokenizer.add_tokens([special(name, is_special=False) for name in plain.split()])
    tokenizer.post_processor = processors.ByteLevel(
        add_prefix_space=False, trim_offsets=False, use_regex=False
    )
    return tokenizer, {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}


FAMILIES = [
    ("llama3", "llama3-real", llama3, "llama-models==0.3.0", "llama_models/llama3/tokenizer.model"),
    ("qwen2.5", "qwen2.5-real", qwen25, "dashscope==2.0.2", "dashscope/resources/qwen.tiktoken"),
]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def build(out, wheels):
    info = json.loads((HERE / "tokenizers/real_info.json").read_text())
    for family, folder, make, requirement, member in FAMILIES:
        data = fetch(wheels, requirement, member)
        expected = info[family]
        if sha256(data) != expected["vocab_file_sha256"]:
            sys.exit(f"{requirement}: the SHA-256 of {member} is not that of real_info.json")
        tokenizer, config = make(read_ranks(data))
        (out / folder).mkdir(parents=True, exist_ok=True)
        path = out / folder / "tokenizer.json"
        tokenizer.save(str(path))
        if sha256(path.read_bytes()) != expected["tokenizer_json_sha256"]:
            sys.exit(f"{path}: its SHA-256 is not that of real_info.json")
        chat = json.loads((HERE / "tokenizers" / folder / "chat.json").read_text())
        config["chat_template"] = chat["template"]
        (out / folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1))
        print(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--wheels", type=pathlib.Path, help="directory with the two wheels")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        build(args.out, args.wheels or pathlib.Path(scratch))


if __name__ == "__main__":
    main()
