"""Survival head by token: which KV pairs of a passage a press kept."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from kvscope.model import regime_name
from kvscope.v1 import orchestrator_pb2

if TYPE_CHECKING:
    import numpy
    import numpy.typing


@dataclasses.dataclass(frozen=True)
class Heatmap:
    """The whole keep set of one press and ratio on one passage."""

    model: str
    dataset: str
    regime: str
    press: str
    compression_ratio: float
    passage_id: str
    question: str  # whose answer `answer_tokens` are
    tokens: tuple[str, ...]  # the text of each context token
    answer_tokens: tuple[int, ...]  # their positions
    keep: numpy.typing.NDArray[numpy.bool_]  # [layers, kv_heads, tokens]


def from_row(row: orchestrator_pb2.HeatmapRow) -> Heatmap:
    import numpy

    body = row.heatmap
    tokens = len(body.tokens)
    # Each (layer, head) row is padded to whole bytes; bit t % 8 of byte t / 8 is token t.
    packed = numpy.frombuffer(body.keep_bits, dtype=numpy.uint8)
    packed = packed.reshape(body.layers, body.kv_heads, (tokens + 7) // 8)
    bits = numpy.unpackbits(packed, axis=2, bitorder="little")
    return Heatmap(
        model=row.model,
        dataset=row.dataset,
        regime=regime_name(row.regime),
        press=row.press,
        compression_ratio=row.compression_ratio,
        passage_id=row.passage_id,
        question=body.question,
        tokens=tuple(body.tokens),
        answer_tokens=tuple(body.answer_tokens),
        keep=bits[:, :, :tokens].astype(bool),
    )
