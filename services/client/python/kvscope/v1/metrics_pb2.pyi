from kvscope.v1 import survival_pb2 as _survival_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AnswerMetrics(_message.Message):
    __slots__ = ["agreement_layer", "agreement_max", "answer_mass_mean", "consensus_layer", "consensus_mean", "exact", "f1", "generated_agreement_max", "generated_consensus_mean", "ger", "ger_layer", "ger_layer_mean", "outcome", "question_index", "routes"]
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    AGREEMENT_LAYER_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_MAX_FIELD_NUMBER: _ClassVar[int]
    ANSWER_MASS_MEAN_FIELD_NUMBER: _ClassVar[int]
    CONSENSUS_LAYER_FIELD_NUMBER: _ClassVar[int]
    CONSENSUS_MEAN_FIELD_NUMBER: _ClassVar[int]
    CORRECT: AnswerMetrics.Outcome
    EXACT_FIELD_NUMBER: _ClassVar[int]
    F1_FIELD_NUMBER: _ClassVar[int]
    GENERATED_AGREEMENT_MAX_FIELD_NUMBER: _ClassVar[int]
    GENERATED_CONSENSUS_MEAN_FIELD_NUMBER: _ClassVar[int]
    GER_FIELD_NUMBER: _ClassVar[int]
    GER_LAYER_FIELD_NUMBER: _ClassVar[int]
    GER_LAYER_MEAN_FIELD_NUMBER: _ClassVar[int]
    HALLUCINATION: AnswerMetrics.Outcome
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_UNSPECIFIED: AnswerMetrics.Outcome
    PARTIAL: AnswerMetrics.Outcome
    QUESTION_INDEX_FIELD_NUMBER: _ClassVar[int]
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN: AnswerMetrics.Outcome
    agreement_layer: _containers.RepeatedScalarFieldContainer[float]
    agreement_max: float
    answer_mass_mean: float
    consensus_layer: _containers.RepeatedScalarFieldContainer[float]
    consensus_mean: float
    exact: bool
    f1: float
    generated_agreement_max: float
    generated_consensus_mean: float
    ger: float
    ger_layer: _containers.RepeatedScalarFieldContainer[float]
    ger_layer_mean: float
    outcome: AnswerMetrics.Outcome
    question_index: int
    routes: Routes
    def __init__(self, question_index: _Optional[int] = ..., f1: _Optional[float] = ..., exact: bool = ..., outcome: _Optional[_Union[AnswerMetrics.Outcome, str]] = ..., ger: _Optional[float] = ..., ger_layer: _Optional[_Iterable[float]] = ..., ger_layer_mean: _Optional[float] = ..., consensus_mean: _Optional[float] = ..., consensus_layer: _Optional[_Iterable[float]] = ..., agreement_max: _Optional[float] = ..., agreement_layer: _Optional[_Iterable[float]] = ..., generated_consensus_mean: _Optional[float] = ..., generated_agreement_max: _Optional[float] = ..., answer_mass_mean: _Optional[float] = ..., routes: _Optional[_Union[Routes, _Mapping]] = ...) -> None: ...

class CellMetrics(_message.Message):
    __slots__ = ["answers", "empty_head_count", "evicted_share", "evicted_share_layer", "eviction_rate", "eviction_rate_layer", "full_pair_count", "kept_pair_count", "press_index", "ratio_index"]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    EMPTY_HEAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    EVICTED_SHARE_FIELD_NUMBER: _ClassVar[int]
    EVICTED_SHARE_LAYER_FIELD_NUMBER: _ClassVar[int]
    EVICTION_RATE_FIELD_NUMBER: _ClassVar[int]
    EVICTION_RATE_LAYER_FIELD_NUMBER: _ClassVar[int]
    FULL_PAIR_COUNT_FIELD_NUMBER: _ClassVar[int]
    KEPT_PAIR_COUNT_FIELD_NUMBER: _ClassVar[int]
    PRESS_INDEX_FIELD_NUMBER: _ClassVar[int]
    RATIO_INDEX_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[AnswerMetrics]
    empty_head_count: int
    evicted_share: float
    evicted_share_layer: _containers.RepeatedScalarFieldContainer[float]
    eviction_rate: float
    eviction_rate_layer: _containers.RepeatedScalarFieldContainer[float]
    full_pair_count: int
    kept_pair_count: int
    press_index: int
    ratio_index: int
    def __init__(self, press_index: _Optional[int] = ..., ratio_index: _Optional[int] = ..., eviction_rate: _Optional[float] = ..., evicted_share: _Optional[float] = ..., kept_pair_count: _Optional[int] = ..., full_pair_count: _Optional[int] = ..., empty_head_count: _Optional[int] = ..., evicted_share_layer: _Optional[_Iterable[float]] = ..., eviction_rate_layer: _Optional[_Iterable[float]] = ..., answers: _Optional[_Iterable[_Union[AnswerMetrics, _Mapping]]] = ...) -> None: ...

class FitProbesRequest(_message.Message):
    __slots__ = ["l2", "ratio_indices", "seed", "unit_keys"]
    L2_FIELD_NUMBER: _ClassVar[int]
    RATIO_INDICES_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    UNIT_KEYS_FIELD_NUMBER: _ClassVar[int]
    l2: float
    ratio_indices: _containers.RepeatedScalarFieldContainer[int]
    seed: int
    unit_keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, unit_keys: _Optional[_Iterable[str]] = ..., ratio_indices: _Optional[_Iterable[int]] = ..., l2: _Optional[float] = ..., seed: _Optional[int] = ...) -> None: ...

class ForgetUnitsRequest(_message.Message):
    __slots__ = ["unit_keys"]
    UNIT_KEYS_FIELD_NUMBER: _ClassVar[int]
    unit_keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, unit_keys: _Optional[_Iterable[str]] = ...) -> None: ...

class ForgetUnitsResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class Interval(_message.Message):
    __slots__ = ["high", "low", "value"]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    high: float
    low: float
    value: float
    def __init__(self, value: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class PassageMetrics(_message.Message):
    __slots__ = ["cells", "last_part", "passage_index"]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    LAST_PART_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_INDEX_FIELD_NUMBER: _ClassVar[int]
    cells: _containers.RepeatedCompositeFieldContainer[CellMetrics]
    last_part: bool
    passage_index: int
    def __init__(self, passage_index: _Optional[int] = ..., cells: _Optional[_Iterable[_Union[CellMetrics, _Mapping]]] = ..., last_part: bool = ...) -> None: ...

class ProbeFit(_message.Message):
    __slots__ = ["layer", "macro_f1", "note", "press_index", "ratio_index", "tags", "train_count", "validation_count"]
    class Tag(_message.Message):
        __slots__ = ["count", "f1", "note", "tag"]
        COUNT_FIELD_NUMBER: _ClassVar[int]
        F1_FIELD_NUMBER: _ClassVar[int]
        NOTE_FIELD_NUMBER: _ClassVar[int]
        TAG_FIELD_NUMBER: _ClassVar[int]
        count: int
        f1: Interval
        note: str
        tag: str
        def __init__(self, tag: _Optional[str] = ..., f1: _Optional[_Union[Interval, _Mapping]] = ..., count: _Optional[int] = ..., note: _Optional[str] = ...) -> None: ...
    LAYER_FIELD_NUMBER: _ClassVar[int]
    MACRO_F1_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    PRESS_INDEX_FIELD_NUMBER: _ClassVar[int]
    RATIO_INDEX_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    TRAIN_COUNT_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_COUNT_FIELD_NUMBER: _ClassVar[int]
    layer: int
    macro_f1: Interval
    note: str
    press_index: int
    ratio_index: int
    tags: _containers.RepeatedCompositeFieldContainer[ProbeFit.Tag]
    train_count: int
    validation_count: int
    def __init__(self, press_index: _Optional[int] = ..., ratio_index: _Optional[int] = ..., layer: _Optional[int] = ..., macro_f1: _Optional[_Union[Interval, _Mapping]] = ..., tags: _Optional[_Iterable[_Union[ProbeFit.Tag, _Mapping]]] = ..., train_count: _Optional[int] = ..., validation_count: _Optional[int] = ..., note: _Optional[str] = ...) -> None: ...

class Routes(_message.Message):
    __slots__ = ["as_computed", "as_defined", "must_reroute_layer"]
    class Graph(_message.Message):
        __slots__ = ["direct_count", "disjoint_count", "reach_bound", "reachable_count", "reached", "routes_alive", "shortest"]
        DIRECT_COUNT_FIELD_NUMBER: _ClassVar[int]
        DISJOINT_COUNT_FIELD_NUMBER: _ClassVar[int]
        REACHABLE_COUNT_FIELD_NUMBER: _ClassVar[int]
        REACHED_FIELD_NUMBER: _ClassVar[int]
        REACH_BOUND_FIELD_NUMBER: _ClassVar[int]
        ROUTES_ALIVE_FIELD_NUMBER: _ClassVar[int]
        SHORTEST_FIELD_NUMBER: _ClassVar[int]
        direct_count: int
        disjoint_count: int
        reach_bound: float
        reachable_count: int
        reached: bool
        routes_alive: int
        shortest: int
        def __init__(self, reached: bool = ..., reachable_count: _Optional[int] = ..., disjoint_count: _Optional[int] = ..., direct_count: _Optional[int] = ..., shortest: _Optional[int] = ..., reach_bound: _Optional[float] = ..., routes_alive: _Optional[int] = ...) -> None: ...
    AS_COMPUTED_FIELD_NUMBER: _ClassVar[int]
    AS_DEFINED_FIELD_NUMBER: _ClassVar[int]
    MUST_REROUTE_LAYER_FIELD_NUMBER: _ClassVar[int]
    as_computed: Routes.Graph
    as_defined: Routes.Graph
    must_reroute_layer: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, as_defined: _Optional[_Union[Routes.Graph, _Mapping]] = ..., as_computed: _Optional[_Union[Routes.Graph, _Mapping]] = ..., must_reroute_layer: _Optional[_Iterable[float]] = ...) -> None: ...
