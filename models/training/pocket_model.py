"""The two pocket shapes in PyTorch, and their checkpoints in Hugging Face layout."""

import dataclasses
import json
import math
import shutil

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn


@dataclasses.dataclass
class Shape:
    family: str  # llama | qwen2
    vocabulary: int = 1280
    hidden: int = 128
    layers: int = 6
    q_heads: int = 4
    kv_heads: int = 2
    head_dim: int = 32
    intermediate: int = 384
    rope_theta: float = 10000.0
    norm_epsilon: float = 1e-5
    positions: int = 1024


class Norm(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape.hidden))
        self.epsilon = shape.norm_epsilon

    def forward(self, x):
        return F.rms_norm(x.float(), (x.shape[-1],), self.weight, self.epsilon)


class Attention(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape, bias, width = shape, shape.family == "qwen2", shape.head_dim
        self.q_proj = nn.Linear(shape.hidden, shape.q_heads * width, bias=bias)
        self.k_proj = nn.Linear(shape.hidden, shape.kv_heads * width, bias=bias)
        self.v_proj = nn.Linear(shape.hidden, shape.kv_heads * width, bias=bias)
        self.o_proj = nn.Linear(shape.q_heads * width, shape.hidden, bias=False)

    def rotated(self, x, cos, sin):
        half = x.shape[-1] // 2
        return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin

    def forward(self, x, cos, sin, mask, look):
        """The output, and for `look` (query, goal, weight) the mean loss: -log of the attention
        that the heads, on average, give to the goal; one head is enough."""
        rows, length, _ = x.shape
        split = lambda y: y.view(rows, length, -1, self.shape.head_dim).transpose(1, 2)
        q, k = (self.rotated(split(p(x)), cos, sin) for p in (self.q_proj, self.k_proj))
        v = split(self.v_proj(x))
        group = self.shape.q_heads // self.shape.kv_heads
        kk, vv = (y.repeat_interleave(group, 1) for y in (k, v))
        out = F.scaled_dot_product_attention(q, kk, vv, attn_mask=mask)
        out = self.o_proj(out.transpose(1, 2).reshape(rows, length, -1))
        if look is None:
            return out, None
        query, goal, weight = look
        chosen = q.gather(2, query[:, None, :, None].expand(-1, q.shape[1], -1, q.shape[3]))
        scores = (chosen @ kk.mT).float() / math.sqrt(self.shape.head_dim)
        seen = mask[:, 0].gather(1, query[:, :, None].expand(-1, -1, length))
        scores = scores.masked_fill(~seen[:, None], -1e9).log_softmax(-1)
        got = scores.masked_fill(~goal[:, None], -1e9).logsumexp(-1)
        seek = math.log(self.shape.q_heads) - got.logsumexp(1)
        return out, (seek * weight).sum() / weight.sum()


class Mlp(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.intermediate, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.intermediate, bias=False)
        self.down_proj = nn.Linear(shape.intermediate, shape.hidden, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.input_layernorm, self.self_attn = Norm(shape), Attention(shape)
        self.post_attention_layernorm, self.mlp = Norm(shape), Mlp(shape)

    def forward(self, x, *rest):
        out, seek = self.self_attn(self.input_layernorm(x), *rest)
        x = x + out
        return x + self.mlp(self.post_attention_layernorm(x)), seek


class PocketModel(nn.Module):
    """Names of parameters as in Hugging Face's checkpoints, less the leading `model.`; the
    embedding is tied."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = Norm(shape)
        half = torch.arange(0, shape.head_dim, 2, dtype=torch.float32) / shape.head_dim
        self.register_buffer("frequency", shape.rope_theta**-half, persistent=False)
        self.reset()

    @torch.no_grad()
    def reset(self):
        """Small normal weights; attention starts by looking for its own token and copying it
        (Trockman & Kolter 2023, arXiv:2305.09828), which is what reading names needs."""
        shape = self.shape
        for parameter in self.parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=0.02)
        self.embed_tokens.weight *= 2.5
        group, width = shape.q_heads // shape.kv_heads, shape.head_dim
        noise = lambda like: torch.randn_like(like) / math.sqrt(shape.hidden)
        for layer in self.layers:
            attention = layer.self_attn
            k = torch.randn(shape.kv_heads * width, shape.hidden) / math.sqrt(shape.hidden)
            v = torch.randn(shape.kv_heads * width, shape.hidden) / math.sqrt(shape.hidden)
            spread = (
                lambda x: x.view(shape.kv_heads, 1, width, -1)
                .expand(-1, group, -1, -1)
                .reshape(shape.q_heads * width, -1)
            )
            q, o = spread(k), spread(v).t()
            attention.k_proj.weight.copy_(k)
            attention.v_proj.weight.copy_(0.5 * v)
            attention.q_proj.weight.copy_(0.8 * q + 0.6 * noise(q))
            attention.o_proj.weight.copy_((0.8 * o + 0.6 * noise(o)) * 0.5 / shape.layers)
            layer.mlp.down_proj.weight /= math.sqrt(2 * shape.layers)
            for projection in (attention.q_proj, attention.k_proj, attention.v_proj):
                if projection.bias is not None:
                    projection.bias.zero_()

    def forward(self, ids, position, mask, looks=None, probe_layer=None):
        """Hidden states after the final norm [B, T, hidden]; the looks' mean losses by layer;
        the residual after `probe_layer` layers."""
        angle = position[..., None].float() * self.frequency
        angle = torch.cat((angle, angle), -1)[:, None]
        cos, sin = angle.cos(), angle.sin()
        x, seeks, middle = self.embed_tokens(ids), {}, None
        for number, layer in enumerate(self.layers):
            if number == probe_layer:
                middle = x
            x, seek = layer(x, cos, sin, mask, (looks or {}).get(number))
            if seek is not None:
                seeks[number] = seek
        return self.norm(x), seeks, middle

    def logits(self, hidden):
        return hidden @ self.embed_tokens.weight.t()


def config_of(shape, bos, eos):
    config = {
        "architectures": ["LlamaForCausalLM" if shape.family == "llama" else "Qwen2ForCausalLM"],
        "model_type": shape.family,
        "dtype": "bfloat16",
        "hidden_act": "silu",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.q_heads,
        "num_key_value_heads": shape.kv_heads,
        "max_position_embeddings": shape.positions,
        "rms_norm_eps": shape.norm_epsilon,
        "rope_theta": shape.rope_theta,
        "tie_word_embeddings": True,
        "use_cache": True,
        "attention_dropout": 0.0,
        "initializer_range": 0.02,
        "vocab_size": shape.vocabulary,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "pad_token_id": eos,
    }
    if shape.family == "llama":
        config |= {"head_dim": shape.head_dim, "attention_bias": False, "mlp_bias": False}
    else:
        config |= {"use_sliding_window": False}
    return config


def save_checkpoint(model, tokenizer, tokenizer_folder, prompt, folder):
    """All that a model directory holds: weights in bfloat16, configs, tokenizer, and KVScope's
    words of the prompt."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        "model." + name: tensor.to(torch.bfloat16).contiguous()
        for name, tensor in model.state_dict().items()
    }
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tokenizer_folder / name, folder / name)
    bos, eos = tokenizer.token_to_id("<|begin_of_text|>"), tokenizer.token_to_id("<|end_of_text|>")
    write = lambda name, value: (folder / name).write_text(json.dumps(value, indent=2) + "\n")
    write("config.json", config_of(model.shape, bos, eos))
    write(
        "generation_config.json",
        {
            "bos_token_id": bos,
            "eos_token_id": eos,
            "pad_token_id": eos,
            "do_sample": False,
            "max_new_tokens": 24,
        },
    )
    write("kvscope.json", {"prompt": prompt})
