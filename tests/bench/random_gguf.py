"""Writes a checkpoint of shapes.py with random bfloat16 weights as a GGUF file, for llama.cpp.

  random_gguf.py qwen-0.5b qwen-0.5b.gguf

What it computes is what model_speed computes: tied embeddings, no biases, no scaling of positions.
It has no tokenizer: token ids are all that a benchmark needs. Wants the Python package gguf.
"""

import pathlib
import sys

import gguf
import numpy as np

import shapes

BFLOAT16 = gguf.GGMLQuantizationType.BF16
NOISE = np.random.default_rng(1).standard_normal(1 << 24, dtype=np.float32)


def tensor_shapes(shape):
    """Name -> (rows, columns) of a product, (width,) of a norm; in GGUF's names."""
    hidden, inner = shape["hidden_size"], shape["intermediate_size"]
    head_dim = shape.get("head_dim") or hidden // shape["num_attention_heads"]
    queries = head_dim * shape["num_attention_heads"]
    keys = head_dim * shape["num_key_value_heads"]
    tensors = {"token_embd": (shape["vocab_size"], hidden), "output_norm": (hidden,)}
    for layer in range(shape["num_hidden_layers"]):
        of_layer = {
            "attn_norm": (hidden,),
            "attn_q": (queries, hidden),
            "attn_k": (keys, hidden),
            "attn_v": (keys, hidden),
            "attn_output": (hidden, queries),
            "ffn_norm": (hidden,),
            "ffn_gate": (inner, hidden),
            "ffn_up": (inner, hidden),
            "ffn_down": (hidden, inner),
        }
        tensors |= {f"blk.{layer}.{name}": size for name, size in of_layer.items()}
    return {f"{name}.weight": size for name, size in tensors.items()}


def random_weight(size):
    """A norm's ones in float32, or bfloat16 bits with the deviation that keeps activations even."""
    if len(size) == 1:
        return np.ones(size, dtype=np.float32)
    rows, columns = size
    numbers = NOISE * np.float32(columns**-0.5)
    bits = ((numbers.view(np.uint32) + 0x8000) >> 16).astype(np.uint16)
    return np.resize(bits, size)


def write(name, path):
    shape = shapes.SHAPES[name]
    writer = gguf.GGUFWriter(path, shape["model_type"])
    writer.add_context_length(shape["max_position_embeddings"])
    writer.add_embedding_length(shape["hidden_size"])
    writer.add_block_count(shape["num_hidden_layers"])
    writer.add_feed_forward_length(shape["intermediate_size"])
    writer.add_head_count(shape["num_attention_heads"])
    writer.add_head_count_kv(shape["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(shape["rms_norm_eps"])
    writer.add_rope_freq_base(shape["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(shape["vocab_size"])
    writer.add_tokenizer_model("none")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    tensors = tensor_shapes(shape)
    for tensor, size in tensors.items():
        if len(size) == 1:
            writer.add_tensor_info(tensor, size, np.dtype(np.float32), 4 * size[0])
        else:
            count = size[0] * size[1]
            writer.add_tensor_info(tensor, size, np.dtype(np.uint16), 2 * count, raw_dtype=BFLOAT16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for size in tensors.values():
        writer.write_tensor_data(random_weight(size))
    writer.close()


if __name__ == "__main__":
    write(sys.argv[1], pathlib.Path(sys.argv[2]))
