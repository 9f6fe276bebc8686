from kvscope.v1 import metrics_pb2 as _metrics_pb2
from kvscope.v1 import sweep_pb2 as _sweep_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AnswerResult(_message.Message):
    __slots__ = ["answer", "ended", "generated_tokens", "metrics", "passage_index", "press_index", "ratio_index"]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    GENERATED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_INDEX_FIELD_NUMBER: _ClassVar[int]
    PRESS_INDEX_FIELD_NUMBER: _ClassVar[int]
    RATIO_INDEX_FIELD_NUMBER: _ClassVar[int]
    answer: str
    ended: bool
    generated_tokens: int
    metrics: _metrics_pb2.AnswerMetrics
    passage_index: int
    press_index: int
    ratio_index: int
    def __init__(self, passage_index: _Optional[int] = ..., press_index: _Optional[int] = ..., ratio_index: _Optional[int] = ..., answer: _Optional[str] = ..., generated_tokens: _Optional[int] = ..., ended: bool = ..., metrics: _Optional[_Union[_metrics_pb2.AnswerMetrics, _Mapping]] = ...) -> None: ...

class CellResult(_message.Message):
    __slots__ = ["context_tokens", "full_bytes", "kept_bytes", "metrics", "passage_index", "press_index", "question_index", "ratio_index"]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    FULL_BYTES_FIELD_NUMBER: _ClassVar[int]
    KEPT_BYTES_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_INDEX_FIELD_NUMBER: _ClassVar[int]
    PRESS_INDEX_FIELD_NUMBER: _ClassVar[int]
    QUESTION_INDEX_FIELD_NUMBER: _ClassVar[int]
    RATIO_INDEX_FIELD_NUMBER: _ClassVar[int]
    context_tokens: int
    full_bytes: int
    kept_bytes: int
    metrics: _metrics_pb2.CellMetrics
    passage_index: int
    press_index: int
    question_index: int
    ratio_index: int
    def __init__(self, passage_index: _Optional[int] = ..., press_index: _Optional[int] = ..., ratio_index: _Optional[int] = ..., question_index: _Optional[int] = ..., context_tokens: _Optional[int] = ..., kept_bytes: _Optional[int] = ..., full_bytes: _Optional[int] = ..., metrics: _Optional[_Union[_metrics_pb2.CellMetrics, _Mapping]] = ...) -> None: ...

class EvaluateRequest(_message.Message):
    __slots__ = ["unit"]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    unit: Unit
    def __init__(self, unit: _Optional[_Union[Unit, _Mapping]] = ...) -> None: ...

class EvaluateResponse(_message.Message):
    __slots__ = ["chunk"]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: ResultChunk
    def __init__(self, chunk: _Optional[_Union[ResultChunk, _Mapping]] = ...) -> None: ...

class Heatmap(_message.Message):
    __slots__ = ["answer_tokens", "keep_bits", "kv_heads", "layers", "passage_index", "press_index", "question", "ratio_index", "tokens"]
    ANSWER_TOKENS_FIELD_NUMBER: _ClassVar[int]
    KEEP_BITS_FIELD_NUMBER: _ClassVar[int]
    KV_HEADS_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_INDEX_FIELD_NUMBER: _ClassVar[int]
    PRESS_INDEX_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    RATIO_INDEX_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    answer_tokens: _containers.RepeatedScalarFieldContainer[int]
    keep_bits: bytes
    kv_heads: int
    layers: int
    passage_index: int
    press_index: int
    question: str
    ratio_index: int
    tokens: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, passage_index: _Optional[int] = ..., press_index: _Optional[int] = ..., ratio_index: _Optional[int] = ..., layers: _Optional[int] = ..., kv_heads: _Optional[int] = ..., keep_bits: _Optional[bytes] = ..., tokens: _Optional[_Iterable[str]] = ..., answer_tokens: _Optional[_Iterable[int]] = ..., question: _Optional[str] = ...) -> None: ...

class ResultChunk(_message.Message):
    __slots__ = ["answers", "cells", "heatmaps"]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    HEATMAPS_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[AnswerResult]
    cells: _containers.RepeatedCompositeFieldContainer[CellResult]
    heatmaps: _containers.RepeatedCompositeFieldContainer[Heatmap]
    def __init__(self, cells: _Optional[_Iterable[_Union[CellResult, _Mapping]]] = ..., answers: _Optional[_Iterable[_Union[AnswerResult, _Mapping]]] = ..., heatmaps: _Optional[_Iterable[_Union[Heatmap, _Mapping]]] = ...) -> None: ...

class Unit(_message.Message):
    __slots__ = ["capture", "device", "dtype", "first_passage", "key", "max_new_tokens", "model", "passages", "presses", "prompt", "ratios", "regime", "scoring", "scoring_tokenizer_digest", "seed", "tokenizer_digest", "weights_digest"]
    CAPTURE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    FIRST_PASSAGE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    MAX_NEW_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    PRESSES_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    RATIOS_FIELD_NUMBER: _ClassVar[int]
    REGIME_FIELD_NUMBER: _ClassVar[int]
    SCORING_FIELD_NUMBER: _ClassVar[int]
    SCORING_TOKENIZER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    TOKENIZER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    capture: _sweep_pb2.Capture
    device: str
    dtype: str
    first_passage: int
    key: str
    max_new_tokens: int
    model: str
    passages: _containers.RepeatedCompositeFieldContainer[_sweep_pb2.Passage]
    presses: _containers.RepeatedScalarFieldContainer[str]
    prompt: _sweep_pb2.Prompt
    ratios: _containers.RepeatedScalarFieldContainer[float]
    regime: _sweep_pb2.Regime
    scoring: _sweep_pb2.Scoring
    scoring_tokenizer_digest: str
    seed: int
    tokenizer_digest: str
    weights_digest: str
    def __init__(self, key: _Optional[str] = ..., model: _Optional[str] = ..., weights_digest: _Optional[str] = ..., device: _Optional[str] = ..., dtype: _Optional[str] = ..., regime: _Optional[_Union[_sweep_pb2.Regime, str]] = ..., presses: _Optional[_Iterable[str]] = ..., ratios: _Optional[_Iterable[float]] = ..., max_new_tokens: _Optional[int] = ..., prompt: _Optional[_Union[_sweep_pb2.Prompt, _Mapping]] = ..., capture: _Optional[_Union[_sweep_pb2.Capture, _Mapping]] = ..., scoring: _Optional[_Union[_sweep_pb2.Scoring, _Mapping]] = ..., seed: _Optional[int] = ..., first_passage: _Optional[int] = ..., passages: _Optional[_Iterable[_Union[_sweep_pb2.Passage, _Mapping]]] = ..., tokenizer_digest: _Optional[str] = ..., scoring_tokenizer_digest: _Optional[str] = ...) -> None: ...
