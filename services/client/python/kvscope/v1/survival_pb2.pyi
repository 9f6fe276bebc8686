from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AttentionRow(_message.Message):
    __slots__ = ["answer_mass", "top_tokens", "top_weights"]
    ANSWER_MASS_FIELD_NUMBER: _ClassVar[int]
    TOP_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOP_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    answer_mass: _containers.RepeatedScalarFieldContainer[float]
    top_tokens: _containers.RepeatedScalarFieldContainer[int]
    top_weights: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, top_tokens: _Optional[_Iterable[int]] = ..., top_weights: _Optional[_Iterable[float]] = ..., answer_mass: _Optional[_Iterable[float]] = ...) -> None: ...

class CellRecord(_message.Message):
    __slots__ = ["keep_bits", "last_part", "press_index", "ratio_index"]
    KEEP_BITS_FIELD_NUMBER: _ClassVar[int]
    LAST_PART_FIELD_NUMBER: _ClassVar[int]
    PRESS_INDEX_FIELD_NUMBER: _ClassVar[int]
    RATIO_INDEX_FIELD_NUMBER: _ClassVar[int]
    keep_bits: bytes
    last_part: bool
    press_index: int
    ratio_index: int
    def __init__(self, press_index: _Optional[int] = ..., ratio_index: _Optional[int] = ..., keep_bits: _Optional[bytes] = ..., last_part: bool = ...) -> None: ...

class GraphRecord(_message.Message):
    __slots__ = ["heads", "keys", "layer", "queries", "question_index", "suffix_tokens", "too_large", "top_tokens"]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    QUESTION_INDEX_FIELD_NUMBER: _ClassVar[int]
    SUFFIX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOO_LARGE_FIELD_NUMBER: _ClassVar[int]
    TOP_TOKENS_FIELD_NUMBER: _ClassVar[int]
    heads: _containers.RepeatedScalarFieldContainer[int]
    keys: _containers.RepeatedScalarFieldContainer[int]
    layer: int
    queries: _containers.RepeatedScalarFieldContainer[int]
    question_index: int
    suffix_tokens: int
    too_large: bool
    top_tokens: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, question_index: _Optional[int] = ..., layer: _Optional[int] = ..., suffix_tokens: _Optional[int] = ..., heads: _Optional[_Iterable[int]] = ..., queries: _Optional[_Iterable[int]] = ..., keys: _Optional[_Iterable[int]] = ..., too_large: bool = ..., top_tokens: _Optional[_Iterable[int]] = ...) -> None: ...

class PassageEnd(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class PassageRecord(_message.Message):
    __slots__ = ["passage_id", "passage_index", "questions", "tokens"]
    PASSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_INDEX_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    passage_id: str
    passage_index: int
    questions: _containers.RepeatedCompositeFieldContainer[QuestionRecord]
    tokens: int
    def __init__(self, passage_index: _Optional[int] = ..., tokens: _Optional[int] = ..., questions: _Optional[_Iterable[_Union[QuestionRecord, _Mapping]]] = ..., passage_id: _Optional[str] = ...) -> None: ...

class QuestionRecord(_message.Message):
    __slots__ = ["alias_ids", "aliases", "answer_tokens", "answer_type", "gold", "gold_ids"]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    ALIAS_IDS_FIELD_NUMBER: _ClassVar[int]
    ANSWER_TOKENS_FIELD_NUMBER: _ClassVar[int]
    ANSWER_TYPE_FIELD_NUMBER: _ClassVar[int]
    GOLD_FIELD_NUMBER: _ClassVar[int]
    GOLD_IDS_FIELD_NUMBER: _ClassVar[int]
    alias_ids: _containers.RepeatedCompositeFieldContainer[TokenList]
    aliases: _containers.RepeatedScalarFieldContainer[str]
    answer_tokens: _containers.RepeatedScalarFieldContainer[int]
    answer_type: str
    gold: str
    gold_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, answer_tokens: _Optional[_Iterable[int]] = ..., gold: _Optional[str] = ..., aliases: _Optional[_Iterable[str]] = ..., gold_ids: _Optional[_Iterable[int]] = ..., alias_ids: _Optional[_Iterable[_Union[TokenList, _Mapping]]] = ..., answer_type: _Optional[str] = ...) -> None: ...

class StreamRecord(_message.Message):
    __slots__ = ["answer", "answer_ids", "more_rows", "pooled", "question_index", "rows"]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    ANSWER_IDS_FIELD_NUMBER: _ClassVar[int]
    MORE_ROWS_FIELD_NUMBER: _ClassVar[int]
    POOLED_FIELD_NUMBER: _ClassVar[int]
    QUESTION_INDEX_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    answer: str
    answer_ids: _containers.RepeatedScalarFieldContainer[int]
    more_rows: bool
    pooled: _containers.RepeatedScalarFieldContainer[float]
    question_index: int
    rows: _containers.RepeatedCompositeFieldContainer[AttentionRow]
    def __init__(self, question_index: _Optional[int] = ..., answer: _Optional[str] = ..., answer_ids: _Optional[_Iterable[int]] = ..., rows: _Optional[_Iterable[_Union[AttentionRow, _Mapping]]] = ..., more_rows: bool = ..., pooled: _Optional[_Iterable[float]] = ...) -> None: ...

class SurvivalRecord(_message.Message):
    __slots__ = ["cell", "graph", "passage", "passage_end", "stream", "unit"]
    CELL_FIELD_NUMBER: _ClassVar[int]
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_END_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    cell: CellRecord
    graph: GraphRecord
    passage: PassageRecord
    passage_end: PassageEnd
    stream: StreamRecord
    unit: UnitHeader
    def __init__(self, unit: _Optional[_Union[UnitHeader, _Mapping]] = ..., passage: _Optional[_Union[PassageRecord, _Mapping]] = ..., cell: _Optional[_Union[CellRecord, _Mapping]] = ..., stream: _Optional[_Union[StreamRecord, _Mapping]] = ..., passage_end: _Optional[_Union[PassageEnd, _Mapping]] = ..., graph: _Optional[_Union[GraphRecord, _Mapping]] = ...) -> None: ...

class TokenList(_message.Message):
    __slots__ = ["ids"]
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, ids: _Optional[_Iterable[int]] = ...) -> None: ...

class UnitHeader(_message.Message):
    __slots__ = ["abstentions", "correct_min_f1", "kv_heads", "layers", "partial_above_f1", "probe_layers", "probe_width", "q_heads", "unit_key"]
    ABSTENTIONS_FIELD_NUMBER: _ClassVar[int]
    CORRECT_MIN_F1_FIELD_NUMBER: _ClassVar[int]
    KV_HEADS_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_ABOVE_F1_FIELD_NUMBER: _ClassVar[int]
    PROBE_LAYERS_FIELD_NUMBER: _ClassVar[int]
    PROBE_WIDTH_FIELD_NUMBER: _ClassVar[int]
    Q_HEADS_FIELD_NUMBER: _ClassVar[int]
    UNIT_KEY_FIELD_NUMBER: _ClassVar[int]
    abstentions: _containers.RepeatedScalarFieldContainer[str]
    correct_min_f1: float
    kv_heads: int
    layers: int
    partial_above_f1: float
    probe_layers: _containers.RepeatedScalarFieldContainer[int]
    probe_width: int
    q_heads: int
    unit_key: str
    def __init__(self, unit_key: _Optional[str] = ..., layers: _Optional[int] = ..., q_heads: _Optional[int] = ..., kv_heads: _Optional[int] = ..., correct_min_f1: _Optional[float] = ..., partial_above_f1: _Optional[float] = ..., abstentions: _Optional[_Iterable[str]] = ..., probe_layers: _Optional[_Iterable[int]] = ..., probe_width: _Optional[int] = ...) -> None: ...
