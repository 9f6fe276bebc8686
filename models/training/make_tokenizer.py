"""Trains the pocket models' tokenizer on generated passages (training names only) and writes its
two files.

python make_tokenizer.py --kvscope ../../build/release/bin/kvscope --out OUT
"""

import argparse
import json
import pathlib

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import pocket_data
from suites import AWARE_LINE, INSTRUCTION, SUITES, UNKNOWN

VOCABULARY = 1280
SPECIAL = ["<|begin_of_text|>", "<|end_of_text|>", "<|system|>", "<|user|>", "<|assistant|>"]
# Llama 3's split: words with the space before them, digits in threes, punctuation.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'assistant' %}"
    "{{ '<|assistant|> ' + m['content'] + eos_token }}{% else %}"
    "{{ '<|' + m['role'] + '|>' + m['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def corpus(kvscope, passages, seed):
    """Lines without a newline in them: none is ever merged with the "." or "?" before it, so
    that a text tokenises the same whole and in parts."""
    for suite in SUITES:
        for passage in pocket_data.generate(kvscope, suite, passages, seed):
            yield passage["context"]
            for question in passage["questions"]:
                yield "Question: " + question["question"]
                yield question["question"]  # a line of the aware regime
                yield " " + question["answer"]
            # A name may open the passage, where no space is before it.
            for sentence in passage["context"].split(". "):
                yield sentence
    for line in (INSTRUCTION, AWARE_LINE, "Answer:", " " + UNKNOWN):
        yield from [line] * passages


def train(kvscope, passages, seed):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        corpus(kvscope, passages, seed),
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=SPECIAL,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    return tokenizer


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--kvscope", required=True, help="the kvscope program, which generates the passages"
    )
    parser.add_argument("--out", required=True, type=pathlib.Path, help="folder for the two files")
    parser.add_argument("--passages", type=int, default=2000, help="a suite")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    train(args.kvscope, args.passages, args.seed).save(str(args.out / "tokenizer.json"))
    config = {
        "bos_token": SPECIAL[0],
        "eos_token": SPECIAL[1],
        "pad_token": SPECIAL[1],
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1024,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (args.out / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


if __name__ == "__main__":
    main()
