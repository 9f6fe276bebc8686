from kvscope.v1 import inference_pb2 as _inference_pb2
from kvscope.v1 import metrics_pb2 as _metrics_pb2
from kvscope.v1 import sweep_pb2 as _sweep_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AnswerRow(_message.Message):
    __slots__ = ["answer", "compression_ratio", "context_tokens", "dataset", "ended", "evicted_share", "eviction_rate", "full_bytes", "generated_tokens", "kept_bytes", "kept_ratio", "metrics", "model", "passage_id", "press", "question", "regime", "sweep_id"]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    COMPRESSION_RATIO_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    EVICTED_SHARE_FIELD_NUMBER: _ClassVar[int]
    EVICTION_RATE_FIELD_NUMBER: _ClassVar[int]
    FULL_BYTES_FIELD_NUMBER: _ClassVar[int]
    GENERATED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    KEPT_BYTES_FIELD_NUMBER: _ClassVar[int]
    KEPT_RATIO_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    PRESS_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    REGIME_FIELD_NUMBER: _ClassVar[int]
    SWEEP_ID_FIELD_NUMBER: _ClassVar[int]
    answer: str
    compression_ratio: float
    context_tokens: int
    dataset: str
    ended: bool
    evicted_share: float
    eviction_rate: float
    full_bytes: int
    generated_tokens: int
    kept_bytes: int
    kept_ratio: float
    metrics: _metrics_pb2.AnswerMetrics
    model: str
    passage_id: str
    press: str
    question: _sweep_pb2.Question
    regime: _sweep_pb2.Regime
    sweep_id: str
    def __init__(self, sweep_id: _Optional[str] = ..., model: _Optional[str] = ..., dataset: _Optional[str] = ..., regime: _Optional[_Union[_sweep_pb2.Regime, str]] = ..., press: _Optional[str] = ..., compression_ratio: _Optional[float] = ..., passage_id: _Optional[str] = ..., question: _Optional[_Union[_sweep_pb2.Question, _Mapping]] = ..., answer: _Optional[str] = ..., generated_tokens: _Optional[int] = ..., ended: bool = ..., metrics: _Optional[_Union[_metrics_pb2.AnswerMetrics, _Mapping]] = ..., eviction_rate: _Optional[float] = ..., evicted_share: _Optional[float] = ..., kept_ratio: _Optional[float] = ..., kept_bytes: _Optional[int] = ..., full_bytes: _Optional[int] = ..., context_tokens: _Optional[int] = ...) -> None: ...

class AnswerRows(_message.Message):
    __slots__ = ["rows"]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[AnswerRow]
    def __init__(self, rows: _Optional[_Iterable[_Union[AnswerRow, _Mapping]]] = ...) -> None: ...

class CancelSweepRequest(_message.Message):
    __slots__ = ["request_id", "sweep"]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SWEEP_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    sweep: str
    def __init__(self, sweep: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CatalogModel(_message.Message):
    __slots__ = ["model_type", "name", "weights_bytes"]
    MODEL_TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_BYTES_FIELD_NUMBER: _ClassVar[int]
    model_type: str
    name: str
    weights_bytes: int
    def __init__(self, name: _Optional[str] = ..., model_type: _Optional[str] = ..., weights_bytes: _Optional[int] = ...) -> None: ...

class CreateSweepRequest(_message.Message):
    __slots__ = ["priority", "request_id", "spec"]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    priority: int
    request_id: str
    spec: _sweep_pb2.SweepSpec
    def __init__(self, request_id: _Optional[str] = ..., spec: _Optional[_Union[_sweep_pb2.SweepSpec, _Mapping]] = ..., priority: _Optional[int] = ...) -> None: ...

class DeleteSweepRequest(_message.Message):
    __slots__ = ["request_id", "sweep"]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SWEEP_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    sweep: str
    def __init__(self, sweep: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteSweepResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class GetSweepRequest(_message.Message):
    __slots__ = ["sweep"]
    SWEEP_FIELD_NUMBER: _ClassVar[int]
    sweep: str
    def __init__(self, sweep: _Optional[str] = ...) -> None: ...

class HeatmapRow(_message.Message):
    __slots__ = ["compression_ratio", "dataset", "heatmap", "model", "passage_id", "press", "regime"]
    COMPRESSION_RATIO_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    HEATMAP_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    PRESS_FIELD_NUMBER: _ClassVar[int]
    REGIME_FIELD_NUMBER: _ClassVar[int]
    compression_ratio: float
    dataset: str
    heatmap: _inference_pb2.Heatmap
    model: str
    passage_id: str
    press: str
    regime: _sweep_pb2.Regime
    def __init__(self, dataset: _Optional[str] = ..., regime: _Optional[_Union[_sweep_pb2.Regime, str]] = ..., press: _Optional[str] = ..., compression_ratio: _Optional[float] = ..., passage_id: _Optional[str] = ..., heatmap: _Optional[_Union[_inference_pb2.Heatmap, _Mapping]] = ..., model: _Optional[str] = ...) -> None: ...

class ListCellsRequest(_message.Message):
    __slots__ = ["group_by", "page_size", "page_token", "sweep"]
    GROUP_BY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SWEEP_FIELD_NUMBER: _ClassVar[int]
    group_by: _containers.RepeatedScalarFieldContainer[str]
    page_size: int
    page_token: str
    sweep: str
    def __init__(self, sweep: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., group_by: _Optional[_Iterable[str]] = ...) -> None: ...

class ListCellsResponse(_message.Message):
    __slots__ = ["cells", "next_page_token"]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    cells: _containers.RepeatedCompositeFieldContainer[_sweep_pb2.Cell]
    next_page_token: str
    def __init__(self, cells: _Optional[_Iterable[_Union[_sweep_pb2.Cell, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ["models"]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[CatalogModel]
    def __init__(self, models: _Optional[_Iterable[_Union[CatalogModel, _Mapping]]] = ...) -> None: ...

class ListSweepsRequest(_message.Message):
    __slots__ = ["page_size", "page_token"]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSweepsResponse(_message.Message):
    __slots__ = ["next_page_token", "sweeps"]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SWEEPS_FIELD_NUMBER: _ClassVar[int]
    next_page_token: str
    sweeps: _containers.RepeatedCompositeFieldContainer[_sweep_pb2.Sweep]
    def __init__(self, sweeps: _Optional[_Iterable[_Union[_sweep_pb2.Sweep, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListUnitsRequest(_message.Message):
    __slots__ = ["page_size", "page_token", "sweep"]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SWEEP_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    sweep: str
    def __init__(self, sweep: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListUnitsResponse(_message.Message):
    __slots__ = ["next_page_token", "units"]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    next_page_token: str
    units: _containers.RepeatedCompositeFieldContainer[UnitStatus]
    def __init__(self, units: _Optional[_Iterable[_Union[UnitStatus, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ProbeRow(_message.Message):
    __slots__ = ["compression_ratio", "dataset", "fit", "model", "press", "regime"]
    COMPRESSION_RATIO_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    FIT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PRESS_FIELD_NUMBER: _ClassVar[int]
    REGIME_FIELD_NUMBER: _ClassVar[int]
    compression_ratio: float
    dataset: str
    fit: _metrics_pb2.ProbeFit
    model: str
    press: str
    regime: _sweep_pb2.Regime
    def __init__(self, model: _Optional[str] = ..., dataset: _Optional[str] = ..., regime: _Optional[_Union[_sweep_pb2.Regime, str]] = ..., press: _Optional[str] = ..., compression_ratio: _Optional[float] = ..., fit: _Optional[_Union[_metrics_pb2.ProbeFit, _Mapping]] = ...) -> None: ...

class ResumeSweepRequest(_message.Message):
    __slots__ = ["request_id", "sweep"]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SWEEP_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    sweep: str
    def __init__(self, sweep: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class StreamAnswersRequest(_message.Message):
    __slots__ = ["sweep"]
    SWEEP_FIELD_NUMBER: _ClassVar[int]
    sweep: str
    def __init__(self, sweep: _Optional[str] = ...) -> None: ...

class StreamHeatmapsRequest(_message.Message):
    __slots__ = ["sweep"]
    SWEEP_FIELD_NUMBER: _ClassVar[int]
    sweep: str
    def __init__(self, sweep: _Optional[str] = ...) -> None: ...

class StreamProbesRequest(_message.Message):
    __slots__ = ["compression_ratios", "sweep"]
    COMPRESSION_RATIOS_FIELD_NUMBER: _ClassVar[int]
    SWEEP_FIELD_NUMBER: _ClassVar[int]
    compression_ratios: _containers.RepeatedScalarFieldContainer[float]
    sweep: str
    def __init__(self, sweep: _Optional[str] = ..., compression_ratios: _Optional[_Iterable[float]] = ...) -> None: ...

class UnitStatus(_message.Message):
    __slots__ = ["attempts", "dataset", "error", "first_passage", "key", "model", "passage_count", "regime", "state", "worker_id"]
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    DONE: UnitStatus.State
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FAILED: UnitStatus.State
    FIRST_PASSAGE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    LEASED: UnitStatus.State
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PASSAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    PENDING: UnitStatus.State
    REGIME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_UNSPECIFIED: UnitStatus.State
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    attempts: int
    dataset: str
    error: str
    first_passage: int
    key: str
    model: str
    passage_count: int
    regime: _sweep_pb2.Regime
    state: UnitStatus.State
    worker_id: str
    def __init__(self, key: _Optional[str] = ..., state: _Optional[_Union[UnitStatus.State, str]] = ..., dataset: _Optional[str] = ..., regime: _Optional[_Union[_sweep_pb2.Regime, str]] = ..., first_passage: _Optional[int] = ..., passage_count: _Optional[int] = ..., attempts: _Optional[int] = ..., worker_id: _Optional[str] = ..., error: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class UploadDatasetRequest(_message.Message):
    __slots__ = ["name", "passages"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    name: str
    passages: _containers.RepeatedCompositeFieldContainer[_sweep_pb2.Passage]
    def __init__(self, name: _Optional[str] = ..., passages: _Optional[_Iterable[_Union[_sweep_pb2.Passage, _Mapping]]] = ...) -> None: ...

class WatchSweepRequest(_message.Message):
    __slots__ = ["sweep"]
    SWEEP_FIELD_NUMBER: _ClassVar[int]
    sweep: str
    def __init__(self, sweep: _Optional[str] = ...) -> None: ...
