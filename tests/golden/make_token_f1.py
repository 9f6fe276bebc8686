#!/usr/bin/env python3
"""Writes metrics/scored_texts.json: texts, and the F1 that transformers' tokenizers give them.

    python tests/golden/make_token_f1.py REAL_DIR    # transformers 5.2.0; REAL_DIR as made by
                                                     # make_real_tokenizers.py
    python tests/golden/make_token_f1.py REAL_DIR --check    # compares instead of writing

The reference, in a few lines below: white space around a text does not count; the ids are the
tokenizer's without special tokens; F1 is over the multisets of ids, the best over gold and aliases.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import sys
import unicodedata

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from transformers import PreTrainedTokenizerFast  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "metrics" / "scored_texts.json"
PAIRS = 480
# Unicode's White_Space; str.strip() would also take the separators U+001C to U+001F.
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
WHITE_SPACE += "\u2009\u200a\u2028\u2029\u202f\u205f\u3000"

PHRASES = """Paris|New York City|3 August 1993|16 May 1972|Pelwood University|1993|-17.5|90 %
the University of Fenmere|Falwyn Belmont|O'Brien, J.|Dr. Strange-Love|St. John's|$1,234.56|C++
I dont know|I don't know|unknown|engineer|a red cup|the red cup and the blue bowl|Z|007|3/8/1993
Zürich|São Paulo|İstanbul|straße|Ελλάδα|Москва|القاهرة|ירושלים|東京|서울 특별시|กรุงเทพ|नई दिल्ली
👩‍👩‍👧 family|🇫🇷|café|naïve façade|ﬁnance|Ⅷ century|x² + y²|“quoted”|…|—|?!|(see above)|a\tb|a  b
<|eot_id|>|<|im_end|>|<tool_call>|def f(x): return x|ᾧ|\u200bzero|\ufeffmark|𝔘𝔫𝔦𝔠𝔬𝔡𝔢|ß""".replace(
    "\n", "|").split("|")


def variants(text, rng):
    """Texts that a model might have said instead."""
    words = text.split(" ")
    yield text
    yield text.upper()
    yield text.lower()
    yield unicodedata.normalize("NFD", text)
    yield unicodedata.normalize("NFC", text)
    yield text + "."
    yield f'"{text}"'
    yield f"The answer is {text}."
    yield f" {text}\n"
    yield f"\u00a0{text}\u3000"
    yield f"\x1c{text}\x1f"
    yield f"{text}, {text}"
    yield " ".join(reversed(words))
    yield words[0]
    yield "".join(rng.sample(text, len(text)))
    yield text[: rng.randrange(len(text) + 1)]
    yield f"{text} and {rng.choice(PHRASES)}"
    yield ""
    yield rng.choice([" ", "\n\t", ".", "\u2003", "I dont know"])


def make_pairs():
    rng = random.Random(5)
    pairs = [{"answer": a, "gold": g, "aliases": []} for a, g in [("", ""), (" \n", "a")]]
    while len(pairs) < PAIRS:
        gold = rng.choice(PHRASES)
        said = gold if rng.random() < 0.8 else rng.choice(PHRASES)
        answer = rng.choice(list(variants(said, rng)))
        count = rng.choice([0, 0, 0, 1, 3])
        aliases = [rng.choice(list(variants(gold, rng))) for _ in range(count)]
        pairs.append({"answer": answer, "gold": rng.choice([gold, f" {gold}"]), "aliases": aliases})
    return pairs


def ids(tokenizer, text):
    return tokenizer.encode(text.strip(WHITE_SPACE), add_special_tokens=False)


def f1(answer, gold):
    if not answer or not gold:
        return float(answer == gold)
    shared = sum((collections.Counter(answer) & collections.Counter(gold)).values())
    if shared == 0:
        return 0.0
    precision, recall = shared / len(answer), shared / len(gold)
    return 2 * precision * recall / (precision + recall)


def score(tokenizer, pair):
    answer = ids(tokenizer, pair["answer"])
    return max(f1(answer, ids(tokenizer, text)) for text in [pair["gold"], *pair["aliases"]])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("real", type=pathlib.Path, help="the real tokenizers' directory")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    small = HERE / "tokenizers"
    folders = [small / "llama3-4k", small / "qwen2-4k"]
    folders += [args.real / "llama3-real", args.real / "qwen2.5-real"]
    pairs = make_pairs()
    scores = {}
    for folder in folders:
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        scores[folder.name] = [score(tokenizer, pair) for pair in pairs]
    text = json.dumps({"pairs": pairs, "f1": scores}, ensure_ascii=True, indent=0) + "\n"
    if not args.check:
        OUT.write_text(text)
    elif OUT.read_text() != text:
        sys.exit(f"{OUT} is not what this script writes now")


if __name__ == "__main__":
    main()
