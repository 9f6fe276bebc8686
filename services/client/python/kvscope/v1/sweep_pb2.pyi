from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

AGNOSTIC: Regime
AWARE: Regime
AWARE_EACH: Regime
DESCRIPTOR: _descriptor.FileDescriptor
REGIME_UNSPECIFIED: Regime

class Capture(_message.Message):
    __slots__ = ["consensus", "graph_epsilon", "graph_passages", "heatmap_passages", "probe_layers", "probe_pool"]
    CONSENSUS_FIELD_NUMBER: _ClassVar[int]
    GRAPH_EPSILON_FIELD_NUMBER: _ClassVar[int]
    GRAPH_PASSAGES_FIELD_NUMBER: _ClassVar[int]
    HEATMAP_PASSAGES_FIELD_NUMBER: _ClassVar[int]
    PROBE_LAYERS_FIELD_NUMBER: _ClassVar[int]
    PROBE_POOL_FIELD_NUMBER: _ClassVar[int]
    consensus: bool
    graph_epsilon: float
    graph_passages: int
    heatmap_passages: int
    probe_layers: _containers.RepeatedScalarFieldContainer[int]
    probe_pool: str
    def __init__(self, consensus: bool = ..., heatmap_passages: _Optional[int] = ..., graph_passages: _Optional[int] = ..., graph_epsilon: _Optional[float] = ..., probe_pool: _Optional[str] = ..., probe_layers: _Optional[_Iterable[int]] = ...) -> None: ...

class Cell(_message.Message):
    __slots__ = ["agreement_layer", "agreement_max", "answer_count", "compression_ratio", "consensus_layer", "consensus_mean", "dataset", "evicted_share", "evicted_share_layer", "eviction_rate", "eviction_rate_layer", "exact", "f1", "ger", "ger_count", "ger_layer", "ger_layer_mean", "hallucination_rate", "kept_ratio", "model", "press", "regime", "state", "tags", "unknown_rate"]
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    AGREEMENT_LAYER_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_MAX_FIELD_NUMBER: _ClassVar[int]
    ANSWER_COUNT_FIELD_NUMBER: _ClassVar[int]
    COMPRESSION_RATIO_FIELD_NUMBER: _ClassVar[int]
    CONSENSUS_LAYER_FIELD_NUMBER: _ClassVar[int]
    CONSENSUS_MEAN_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    EVICTED_SHARE_FIELD_NUMBER: _ClassVar[int]
    EVICTED_SHARE_LAYER_FIELD_NUMBER: _ClassVar[int]
    EVICTION_RATE_FIELD_NUMBER: _ClassVar[int]
    EVICTION_RATE_LAYER_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    F1_FIELD_NUMBER: _ClassVar[int]
    FAILED: Cell.State
    GER_COUNT_FIELD_NUMBER: _ClassVar[int]
    GER_FIELD_NUMBER: _ClassVar[int]
    GER_LAYER_FIELD_NUMBER: _ClassVar[int]
    GER_LAYER_MEAN_FIELD_NUMBER: _ClassVar[int]
    HALLUCINATION_RATE_FIELD_NUMBER: _ClassVar[int]
    KEPT_RATIO_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PENDING: Cell.State
    PRESS_FIELD_NUMBER: _ClassVar[int]
    REGIME_FIELD_NUMBER: _ClassVar[int]
    RUNNING: Cell.State
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_UNSPECIFIED: Cell.State
    SUCCEEDED: Cell.State
    TAGS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_RATE_FIELD_NUMBER: _ClassVar[int]
    agreement_layer: _containers.RepeatedScalarFieldContainer[float]
    agreement_max: float
    answer_count: int
    compression_ratio: float
    consensus_layer: _containers.RepeatedScalarFieldContainer[float]
    consensus_mean: float
    dataset: str
    evicted_share: float
    evicted_share_layer: _containers.RepeatedScalarFieldContainer[float]
    eviction_rate: float
    eviction_rate_layer: _containers.RepeatedScalarFieldContainer[float]
    exact: float
    f1: float
    ger: float
    ger_count: int
    ger_layer: _containers.RepeatedScalarFieldContainer[float]
    ger_layer_mean: float
    hallucination_rate: float
    kept_ratio: float
    model: str
    press: str
    regime: Regime
    state: Cell.State
    tags: _containers.RepeatedScalarFieldContainer[str]
    unknown_rate: float
    def __init__(self, state: _Optional[_Union[Cell.State, str]] = ..., dataset: _Optional[str] = ..., regime: _Optional[_Union[Regime, str]] = ..., press: _Optional[str] = ..., compression_ratio: _Optional[float] = ..., answer_count: _Optional[int] = ..., f1: _Optional[float] = ..., exact: _Optional[float] = ..., hallucination_rate: _Optional[float] = ..., unknown_rate: _Optional[float] = ..., ger: _Optional[float] = ..., ger_layer_mean: _Optional[float] = ..., eviction_rate: _Optional[float] = ..., evicted_share: _Optional[float] = ..., consensus_mean: _Optional[float] = ..., agreement_max: _Optional[float] = ..., kept_ratio: _Optional[float] = ..., consensus_layer: _Optional[_Iterable[float]] = ..., ger_count: _Optional[int] = ..., tags: _Optional[_Iterable[str]] = ..., model: _Optional[str] = ..., agreement_layer: _Optional[_Iterable[float]] = ..., ger_layer: _Optional[_Iterable[float]] = ..., eviction_rate_layer: _Optional[_Iterable[float]] = ..., evicted_share_layer: _Optional[_Iterable[float]] = ...) -> None: ...

class Dataset(_message.Message):
    __slots__ = ["digest", "name", "passage_count", "question_count"]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    QUESTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    digest: str
    name: str
    passage_count: int
    question_count: int
    def __init__(self, digest: _Optional[str] = ..., name: _Optional[str] = ..., passage_count: _Optional[int] = ..., question_count: _Optional[int] = ...) -> None: ...

class ModelInfo(_message.Message):
    __slots__ = ["code_version", "context_window", "device", "dtype", "head_dim", "kv_heads", "layers", "model_type", "name", "parameter_count", "q_heads", "scoring_tokenizer_digest", "tokenizer_digest", "weights_digest"]
    CODE_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_WINDOW_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    HEAD_DIM_FIELD_NUMBER: _ClassVar[int]
    KV_HEADS_FIELD_NUMBER: _ClassVar[int]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    MODEL_TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PARAMETER_COUNT_FIELD_NUMBER: _ClassVar[int]
    Q_HEADS_FIELD_NUMBER: _ClassVar[int]
    SCORING_TOKENIZER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    TOKENIZER_DIGEST_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_DIGEST_FIELD_NUMBER: _ClassVar[int]
    code_version: str
    context_window: int
    device: str
    dtype: str
    head_dim: int
    kv_heads: int
    layers: int
    model_type: str
    name: str
    parameter_count: int
    q_heads: int
    scoring_tokenizer_digest: str
    tokenizer_digest: str
    weights_digest: str
    def __init__(self, name: _Optional[str] = ..., weights_digest: _Optional[str] = ..., tokenizer_digest: _Optional[str] = ..., model_type: _Optional[str] = ..., layers: _Optional[int] = ..., q_heads: _Optional[int] = ..., kv_heads: _Optional[int] = ..., head_dim: _Optional[int] = ..., context_window: _Optional[int] = ..., device: _Optional[str] = ..., dtype: _Optional[str] = ..., code_version: _Optional[str] = ..., parameter_count: _Optional[int] = ..., scoring_tokenizer_digest: _Optional[str] = ...) -> None: ...

class Passage(_message.Message):
    __slots__ = ["context", "dataset", "passage_id", "questions"]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    context: str
    dataset: str
    passage_id: str
    questions: _containers.RepeatedCompositeFieldContainer[Question]
    def __init__(self, dataset: _Optional[str] = ..., passage_id: _Optional[str] = ..., context: _Optional[str] = ..., questions: _Optional[_Iterable[_Union[Question, _Mapping]]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ["streams_done", "streams_total", "units_done", "units_failed", "units_reused", "units_running", "units_total", "workers"]
    STREAMS_DONE_FIELD_NUMBER: _ClassVar[int]
    STREAMS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    UNITS_DONE_FIELD_NUMBER: _ClassVar[int]
    UNITS_FAILED_FIELD_NUMBER: _ClassVar[int]
    UNITS_REUSED_FIELD_NUMBER: _ClassVar[int]
    UNITS_RUNNING_FIELD_NUMBER: _ClassVar[int]
    UNITS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    streams_done: int
    streams_total: int
    units_done: int
    units_failed: int
    units_reused: int
    units_running: int
    units_total: int
    workers: int
    def __init__(self, units_total: _Optional[int] = ..., units_done: _Optional[int] = ..., units_running: _Optional[int] = ..., units_failed: _Optional[int] = ..., streams_total: _Optional[int] = ..., streams_done: _Optional[int] = ..., workers: _Optional[int] = ..., units_reused: _Optional[int] = ...) -> None: ...

class Prompt(_message.Message):
    __slots__ = ["answer_prefix", "aware_line", "instruction", "question_prefix", "question_suffix"]
    ANSWER_PREFIX_FIELD_NUMBER: _ClassVar[int]
    AWARE_LINE_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTION_FIELD_NUMBER: _ClassVar[int]
    QUESTION_PREFIX_FIELD_NUMBER: _ClassVar[int]
    QUESTION_SUFFIX_FIELD_NUMBER: _ClassVar[int]
    answer_prefix: str
    aware_line: str
    instruction: str
    question_prefix: str
    question_suffix: str
    def __init__(self, instruction: _Optional[str] = ..., aware_line: _Optional[str] = ..., question_prefix: _Optional[str] = ..., question_suffix: _Optional[str] = ..., answer_prefix: _Optional[str] = ...) -> None: ...

class Question(_message.Message):
    __slots__ = ["aliases", "answer", "answer_type", "direction", "evidence", "hop", "question", "question_id", "question_type"]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    ANSWER_TYPE_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    HOP_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    QUESTION_ID_FIELD_NUMBER: _ClassVar[int]
    QUESTION_TYPE_FIELD_NUMBER: _ClassVar[int]
    aliases: _containers.RepeatedScalarFieldContainer[str]
    answer: str
    answer_type: str
    direction: str
    evidence: _containers.RepeatedCompositeFieldContainer[Span]
    hop: int
    question: str
    question_id: str
    question_type: str
    def __init__(self, question_id: _Optional[str] = ..., question: _Optional[str] = ..., answer: _Optional[str] = ..., aliases: _Optional[_Iterable[str]] = ..., direction: _Optional[str] = ..., answer_type: _Optional[str] = ..., question_type: _Optional[str] = ..., hop: _Optional[int] = ..., evidence: _Optional[_Iterable[_Union[Span, _Mapping]]] = ...) -> None: ...

class Scoring(_message.Message):
    __slots__ = ["abstentions", "correct_min_f1", "partial_above_f1", "tokenizer"]
    ABSTENTIONS_FIELD_NUMBER: _ClassVar[int]
    CORRECT_MIN_F1_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_ABOVE_F1_FIELD_NUMBER: _ClassVar[int]
    TOKENIZER_FIELD_NUMBER: _ClassVar[int]
    abstentions: _containers.RepeatedScalarFieldContainer[str]
    correct_min_f1: float
    partial_above_f1: float
    tokenizer: str
    def __init__(self, tokenizer: _Optional[str] = ..., correct_min_f1: _Optional[float] = ..., partial_above_f1: _Optional[float] = ..., abstentions: _Optional[_Iterable[str]] = ...) -> None: ...

class Span(_message.Message):
    __slots__ = ["begin", "end"]
    BEGIN_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    begin: int
    end: int
    def __init__(self, begin: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...

class Sweep(_message.Message):
    __slots__ = ["create_time", "end_time", "error", "id", "model", "more_models", "owner", "priority", "progress", "spec", "state"]
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    CANCELLED: Sweep.State
    CHECKING: Sweep.State
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FAILED: Sweep.State
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MORE_MODELS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RUNNING: Sweep.State
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_UNSPECIFIED: Sweep.State
    SUCCEEDED: Sweep.State
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    error: str
    id: str
    model: ModelInfo
    more_models: _containers.RepeatedCompositeFieldContainer[ModelInfo]
    owner: str
    priority: int
    progress: Progress
    spec: SweepSpec
    state: Sweep.State
    def __init__(self, id: _Optional[str] = ..., state: _Optional[_Union[Sweep.State, str]] = ..., spec: _Optional[_Union[SweepSpec, _Mapping]] = ..., error: _Optional[str] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., model: _Optional[_Union[ModelInfo, _Mapping]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., more_models: _Optional[_Iterable[_Union[ModelInfo, _Mapping]]] = ..., owner: _Optional[str] = ..., priority: _Optional[int] = ...) -> None: ...

class SweepSpec(_message.Message):
    __slots__ = ["capture", "datasets", "device", "dtype", "max_new_tokens", "model", "more_models", "name", "presses", "prompt", "ratios", "regimes", "scoring", "seed"]
    CAPTURE_FIELD_NUMBER: _ClassVar[int]
    DATASETS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    MAX_NEW_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MORE_MODELS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PRESSES_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    RATIOS_FIELD_NUMBER: _ClassVar[int]
    REGIMES_FIELD_NUMBER: _ClassVar[int]
    SCORING_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    capture: Capture
    datasets: _containers.RepeatedCompositeFieldContainer[Dataset]
    device: str
    dtype: str
    max_new_tokens: int
    model: str
    more_models: _containers.RepeatedScalarFieldContainer[str]
    name: str
    presses: _containers.RepeatedScalarFieldContainer[str]
    prompt: Prompt
    ratios: _containers.RepeatedScalarFieldContainer[float]
    regimes: _containers.RepeatedScalarFieldContainer[Regime]
    scoring: Scoring
    seed: int
    def __init__(self, name: _Optional[str] = ..., model: _Optional[str] = ..., device: _Optional[str] = ..., dtype: _Optional[str] = ..., datasets: _Optional[_Iterable[_Union[Dataset, _Mapping]]] = ..., regimes: _Optional[_Iterable[_Union[Regime, str]]] = ..., presses: _Optional[_Iterable[str]] = ..., ratios: _Optional[_Iterable[float]] = ..., max_new_tokens: _Optional[int] = ..., prompt: _Optional[_Union[Prompt, _Mapping]] = ..., capture: _Optional[_Union[Capture, _Mapping]] = ..., scoring: _Optional[_Union[Scoring, _Mapping]] = ..., seed: _Optional[int] = ..., more_models: _Optional[_Iterable[str]] = ...) -> None: ...

class Regime(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
