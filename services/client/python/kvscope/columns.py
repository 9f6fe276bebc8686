"""Which columns results have: those of `kvscope results --format csv`, in its order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from kvscope.errors import InvalidArgumentError
from kvscope.model import regime_name
from kvscope.table import FLAG, FLOAT, INT, LIST, TEXT, Column
from kvscope.v1 import metrics_pb2, orchestrator_pb2

LEVELS = ("cells", "answers")
TAGS = ("direction", "answer_type", "question_type", "hop")  # that cells can be parted by


def is_answers(level: str, by: Sequence[str]) -> bool:
    """Whether answers are asked for, or cells. Raises InvalidArgumentError."""
    if level not in LEVELS:
        raise InvalidArgumentError(f'level: is "{level}", must be one of {", ".join(LEVELS)}')
    if level == "answers" and by:
        raise InvalidArgumentError("by: parts cells, but level asks for answers")
    return level == "answers"


def _path(path: str) -> Callable[[Any], Any]:
    names = path.split(".")

    def get(row: Any) -> Any:
        for name in names:
            row = getattr(row, name)
        return row

    return get


def _plain(kind: str, name: str, path: str = "") -> Column:
    return Column(name, kind, _path(path or name))


def _maybe(name: str, path: str = "") -> Column:
    """A number that may be undefined: an optional field."""
    *outer, field = (path or name).split(".")
    message = _path(".".join(outer)) if outer else (lambda row: row)

    def get(row: Any) -> Any:
        inner = message(row)
        return getattr(inner, field) if inner.HasField(field) else None

    return Column(name, FLOAT, get)


def _layers(name: str, path: str = "") -> Column:
    values = _path(path or name)
    return Column(name, LIST, lambda row: list(values(row)) or None)


def _regime(path: str = "regime") -> Column:
    regime = _path(path)
    return Column("regime", TEXT, lambda row: regime_name(regime(row)))


def _routes(name: str, graph: str, field: str, needs: str = "") -> Column:
    """Of the passage's graph; undefined without one, and without what the value is about."""

    def get(row: Any) -> Any:
        if not row.metrics.HasField("routes"):
            return None
        of = getattr(row.metrics.routes, graph)
        if needs == "reached" and not of.reached:
            return None
        if needs == field and not of.HasField(field):
            return None
        return float(getattr(of, field))

    return Column(name, FLOAT, get)


def _outcome(row: orchestrator_pb2.AnswerRow) -> str:
    names = metrics_pb2.AnswerMetrics.Outcome
    try:
        name = names.Name(row.metrics.outcome)
    except ValueError:  # of a later version
        return "unspecified"
    return name.lower().removeprefix("outcome_")


ANSWERS = (
    _plain(TEXT, "sweep_id"),
    _plain(TEXT, "model"),
    _plain(TEXT, "dataset"),
    _regime(),
    _plain(TEXT, "press"),
    _plain(FLOAT, "compression_ratio"),
    _plain(TEXT, "passage_id"),
    _plain(TEXT, "question_id", "question.question_id"),
    _plain(TEXT, "question", "question.question"),
    _plain(TEXT, "answer"),
    _plain(TEXT, "gold", "question.answer"),
    _plain(FLOAT, "f1", "metrics.f1"),
    _plain(FLAG, "exact", "metrics.exact"),
    Column("outcome", TEXT, _outcome),
    _plain(TEXT, "direction", "question.direction"),
    _plain(TEXT, "answer_type", "question.answer_type"),
    _plain(TEXT, "question_type", "question.question_type"),
    _plain(INT, "hop", "question.hop"),
    _maybe("ger", "metrics.ger"),
    _maybe("ger_layer_mean", "metrics.ger_layer_mean"),
    _plain(FLOAT, "eviction_rate"),
    _plain(FLOAT, "evicted_share"),
    _maybe("consensus_mean", "metrics.consensus_mean"),
    _maybe("agreement_max", "metrics.agreement_max"),
    _plain(FLOAT, "kept_ratio"),
    _plain(INT, "kept_bytes"),
    _plain(INT, "full_bytes"),
    _plain(INT, "context_tokens"),
    _plain(INT, "generated_tokens"),
    _plain(FLAG, "ended"),
    _maybe("generated_consensus_mean", "metrics.generated_consensus_mean"),
    _maybe("generated_agreement_max", "metrics.generated_agreement_max"),
    _maybe("answer_mass_mean", "metrics.answer_mass_mean"),
    _layers("ger_layer", "metrics.ger_layer"),
    _layers("consensus_layer", "metrics.consensus_layer"),
    _layers("agreement_layer", "metrics.agreement_layer"),
    _routes("reached_defined", "as_defined", "reached"),
    _routes("reached_computed", "as_computed", "reached"),
    _routes("routes_defined", "as_defined", "disjoint_count"),
    _routes("routes_computed", "as_computed", "disjoint_count"),
    _routes("reachable_defined", "as_defined", "reachable_count"),
    _routes("reachable_computed", "as_computed", "reachable_count"),
    _routes("route_length_defined", "as_defined", "shortest", needs="reached"),
    _routes("route_length_computed", "as_computed", "shortest", needs="reached"),
    _routes("reach_bound_defined", "as_defined", "reach_bound", needs="reach_bound"),
    _routes("reach_bound_computed", "as_computed", "reach_bound", needs="reach_bound"),
    _layers("must_reroute_layer", "metrics.routes.must_reroute_layer"),
)

_CELL_KEYS = (
    _plain(TEXT, "model"),
    _plain(TEXT, "dataset"),
    _regime(),
    _plain(TEXT, "press"),
    _plain(FLOAT, "compression_ratio"),
)
_CELL_VALUES = (
    _plain(INT, "answer_count"),
    _maybe("f1"),
    _maybe("exact"),
    _maybe("hallucination_rate"),
    _maybe("unknown_rate"),
    _maybe("ger"),
    _plain(INT, "ger_count"),
    _maybe("ger_layer_mean"),
    _maybe("eviction_rate"),
    _maybe("evicted_share"),
    _maybe("consensus_mean"),
    _maybe("agreement_max"),
    _maybe("kept_ratio"),
    _layers("consensus_layer"),
    _layers("agreement_layer"),
    _layers("ger_layer"),
    _layers("eviction_rate_layer"),
    _layers("evicted_share_layer"),
)


def cells(by: Sequence[str]) -> tuple[Column, ...]:
    """A column of each tag that the cells are parted by stands before the numbers."""

    def tag(place: int, name: str) -> Column:
        if name == "hop":  # a number; no tag: undefined
            return Column(name, FLOAT, lambda cell: float(cell.tags[place] or "nan"))
        return Column(name, TEXT, lambda cell: cell.tags[place])

    return (*_CELL_KEYS, *(tag(i, name) for i, name in enumerate(by)), *_CELL_VALUES)


class ProbeScore(NamedTuple):
    """One number of a probe: `tag` is the answer type it is about; empty: the mean over all."""

    row: orchestrator_pb2.ProbeRow
    tag: str
    score: metrics_pb2.Interval | None
    rows: int
    note: str


def probe_scores(row: orchestrator_pb2.ProbeRow) -> Iterator[ProbeScore]:
    fit = row.fit
    macro = fit.macro_f1 if fit.HasField("macro_f1") else None
    yield ProbeScore(row, "", macro, fit.validation_count, fit.note)
    for tag in fit.tags:
        score = tag.f1 if tag.HasField("f1") else None
        yield ProbeScore(row, tag.tag, score, tag.count, tag.note)


def _score(name: str, field: str) -> Column:
    def get(probe: ProbeScore) -> Any:
        if probe.score is None:
            return None
        if field != "value" and not probe.score.HasField(field):
            return None
        return getattr(probe.score, field)

    return Column(name, FLOAT, get)


PROBES = (
    _plain(TEXT, "model", "row.model"),
    _plain(TEXT, "dataset", "row.dataset"),
    _regime("row.regime"),
    _plain(TEXT, "press", "row.press"),
    _plain(FLOAT, "compression_ratio", "row.compression_ratio"),
    _plain(INT, "layer", "row.fit.layer"),  # -1: all layers together
    _plain(TEXT, "tag"),
    _score("f1", "value"),
    _score("f1_low", "low"),
    _score("f1_high", "high"),
    _plain(INT, "count", "rows"),  # rows that the probe was judged on
    _plain(TEXT, "note"),  # why there is no number
)

UNITS = (
    _plain(TEXT, "key"),
    Column("state", TEXT, lambda unit: orchestrator_pb2.UnitStatus.State.Name(unit.state).lower()),
    _plain(TEXT, "model"),
    _plain(TEXT, "dataset"),
    _regime(),
    _plain(INT, "first_passage"),
    _plain(INT, "passage_count"),
    _plain(INT, "attempts"),
    _plain(TEXT, "worker_id"),
    _plain(TEXT, "error"),
)
