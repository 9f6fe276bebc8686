"""What the benchmark runs on: checkpoints of real shapes with random weights, and passages.

A random model answers nonsense, but costs what a trained one of its shape costs. Its tokenizer is
one of the small ones under tests/golden/tokenizers; the vocabulary has its real size, and the rows
that this tokenizer lacks are zero, so that they are computed with and never chosen (their logit is
0). The end token is one of them: every answer has exactly as many tokens as were asked for.
"""

import dataclasses
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKENIZERS = ROOT / "tests" / "golden" / "tokenizers"

POCKET_SUITES = (
    "base",
    "knowledge",
    "multi_presence",
    "multi_entity",
    "long_context",
    "coreference",
    "hops",
)

SHAPES = {
    "qwen-0.5b": {
        "model_type": "qwen2",
        "tokenizer": "qwen2-4k",
        "query_key_gain": 1.4,
        "hidden_size": 896,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "intermediate_size": 4864,
        "vocab_size": 151936,
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
    },
    "llama-1b": {
        "model_type": "llama",
        "tokenizer": "llama3-4k",
        "query_key_gain": 1.2,
        "hidden_size": 2048,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "intermediate_size": 8192,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 5e5,
            "factor": 32.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    },
}

# Weights are drawn with the deviation that keeps activations in range, and queries and keys are
# enlarged by the shape's `query_key_gain`: with 1 attention is nearly even and answers hardly
# depend on what is kept; with 2 the model is so chaotic that bfloat16's rounding alone changes
# most answers.
BIAS_STD = 0.1


@dataclasses.dataclass(frozen=True)
class Dimensions:
    """The numbers of a config.json that decide how much there is to compute."""

    layers: int
    hidden: int
    inner: int
    q_heads: int
    kv_heads: int
    head_dim: int
    vocab: int

    @property
    def layer_weights(self):
        """Of all layers together: the parameters that every token is multiplied with."""
        heads = self.q_heads + 2 * self.kv_heads
        attention = self.hidden * self.head_dim * (heads + self.q_heads)
        return self.layers * (attention + 3 * self.hidden * self.inner)

    @property
    def last_layer_rest(self):
        """What of layer_weights a token needs only if another is chosen after it: all of the last
        layer but its keys and values."""
        kv = 2 * self.hidden * self.head_dim * self.kv_heads
        return self.layer_weights // self.layers - kv


def dimensions(model_dir):
    config = json.loads((model_dir / "config.json").read_text())
    q_heads, hidden = config["num_attention_heads"], config["hidden_size"]
    return Dimensions(
        layers=config["num_hidden_layers"],
        hidden=hidden,
        inner=config["intermediate_size"],
        q_heads=q_heads,
        kv_heads=config["num_key_value_heads"],
        head_dim=config.get("head_dim") or hidden // q_heads,
        vocab=config["vocab_size"],
    )


def make_model(name, directory):
    """Writes the checkpoint `name` of SHAPES in bfloat16, unless it is there already."""
    if (directory / "config.json").exists():
        return
    import torch
    from safetensors.torch import save_file
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = dict(SHAPES[name])
    tokenizer = TOKENIZERS / shape.pop("tokenizer")
    gain = shape.pop("query_key_gain")
    vocab = json.loads((tokenizer / "tokenizer.json").read_text())
    known = len(vocab["model"]["vocab"]) + len(vocab["added_tokens"])
    config = AutoConfig.for_model(
        **shape,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=shape["vocab_size"] - 1,
        pad_token_id=None,
    )
    torch.manual_seed(1)
    with torch.device("meta"):  # the weights are drawn here, once
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    weights = {
        name: random_weight(name, parameter.shape, known, gain)
        for name, parameter in model.named_parameters()  # without lm_head, which is the embedding
    }
    unfinished = directory.with_name(directory.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer / file, unfinished / file)
    config.architectures, config.dtype = [type(model).__name__], "bfloat16"
    config.save_pretrained(unfinished)
    model.generation_config.save_pretrained(unfinished)
    save_file(weights, unfinished / "model.safetensors", metadata={"format": "pt"})
    unfinished.rename(directory)


def random_weight(name, shape, known, query_key_gain):
    """`known`: how many of the vocabulary's first rows the tokenizer can produce."""
    import torch

    weight = torch.ones(shape, dtype=torch.bfloat16)  # a norm's
    if name.endswith("bias"):
        return weight.normal_(std=BIAS_STD)
    if len(shape) == 1:
        return weight
    gain = query_key_gain if "q_proj" in name or "k_proj" in name else 1.0
    weight.normal_(std=gain * shape[1] ** -0.5)
    if "embed_tokens" in name:
        weight[known:] = 0
    return weight


# Words that the small tokenizers know whole, so that a passage has the tokens of real prose under a
# real vocabulary: about 1.15 a word.
ACTORS = "client caller reader server parser loader user parent host handler machine".split()
LOOKS = "old new small little long short local active single final current next".split()
DEEDS = "sent passed returned provided".split()
COUNTS = "two many some more most all".split()
KINDS = "empty frozen readable useful complete invalid known unknown".split()
THINGS = "messages files keys packages lines entries events results values names words".split()
PLACES = "library|platform|directory|network|last section|first group".split("|")
TIMES = "during the week|before the release|after the update|within the hour|last month".split("|")


def fact(draw):
    """A sentence, a question about it and the answer."""
    giver = f"{draw.choice(LOOKS)} {draw.choice(ACTORS)}"
    taker = f"{draw.choice(LOOKS)} {draw.choice(ACTORS)}"
    things = f"{draw.choice(COUNTS)} {draw.choice(KINDS)} {draw.choice(THINGS)}"
    place, time, deed = draw.choice(PLACES), draw.choice(TIMES), draw.choice(DEEDS)
    sentence = f"The {giver} {deed} {things} to the {taker} in the {place} {time}."
    asked = [
        (f"What did the {taker} get in the {place} {time}?", things),
        (f"Who got {things} from the {giver} {time}?", f"the {taker}"),
        (f"Where was it that the {giver} {deed} {things}?", f"in the {place}"),
        (f"When did the {taker} get {things}?", time),
    ]
    return sentence, *draw.choice(asked)


def make_passages(count, words, questions=10, seed=1):
    """`count` rows of a KVScope data set, each of `words` words and so many questions."""
    draw = random.Random(seed)
    rows = []
    for p in range(count):
        sentences, asked, length = [], [], 0
        while length < words:
            sentence, question, answer = fact(draw)
            sentences.append(sentence)
            asked.append((question, answer))
            length += len(sentence.split())
        context = " ".join(" ".join(sentences).split()[:words])
        chosen = [asked[i * len(asked) // questions] for i in range(questions)]
        rows.append(
            {
                "passage_id": f"p{p}",
                "context": context,
                "questions": [
                    {"question_id": f"p{p}q{i}", "question": question, "answer": answer}
                    for i, (question, answer) in enumerate(chosen)
                ],
            }
        )
    return rows


def pocket_passages(kvscope, count, questions=10):
    """Passages of the seven suites in turn, as `kvscope dataset generate` writes them for the
    pocket models."""
    suites = []
    with tempfile.TemporaryDirectory() as work:
        path = pathlib.Path(work) / "passages.jsonl"
        for suite in POCKET_SUITES:
            command = [kvscope, "dataset", "generate", suite, "--scale", "pocket", "--seed", "1"]
            each = -(-count // len(POCKET_SUITES))
            subprocess.run([*command, "--passages", str(each), "--out", path], check=True)
            suites.append([json.loads(line) for line in path.read_text().splitlines()])
    rows = [row for passages in zip(*suites) for row in passages][:count]
    for p, row in enumerate(rows):
        row["passage_id"] = f"p{p}"
        row["questions"] = row["questions"][:questions]
        for i, question in enumerate(row["questions"]):
            question["question_id"] = f"p{p}q{i}"
    return rows


def write_rows(rows, path):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    make_model(sys.argv[1], pathlib.Path(sys.argv[2]))
