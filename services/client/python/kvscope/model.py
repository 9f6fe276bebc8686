"""Where a sweep stands, as plain values."""

from __future__ import annotations

import dataclasses
import datetime
import enum

from google.protobuf import timestamp_pb2

from kvscope.v1 import orchestrator_pb2, sweep_pb2


class State(str, enum.Enum):
    """A sweep's state, in the words of the command line."""

    CHECKING = "checking"  # waits for a worker to check it, or is being checked
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    def __str__(self) -> str:
        return self.value

    @property
    def ended(self) -> bool:
        return self in (State.SUCCEEDED, State.FAILED, State.CANCELLED)


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a sweep is, in units (what a worker takes at once) and in answers."""

    units_total: int
    units_done: int
    units_running: int
    units_failed: int
    units_reused: int  # done before this sweep asked for them
    answers_total: int
    answers_done: int
    workers: int  # connected now

    @property
    def fraction(self) -> float:
        return self.answers_done / self.answers_total if self.answers_total else 0.0


@dataclasses.dataclass(frozen=True)
class SweepInfo:
    """A sweep as the cluster last told it."""

    id: str
    name: str
    state: State
    error: str  # one sentence; empty unless it failed
    progress: Progress
    models: tuple[str, ...]
    datasets: tuple[str, ...]
    regimes: tuple[str, ...]
    presses: tuple[str, ...]
    ratios: tuple[float, ...]
    created: datetime.datetime | None
    ended: datetime.datetime | None
    owner: str  # who submitted it; empty where nobody is asked for a token
    priority: int  # units of a higher one are given out first


@dataclasses.dataclass(frozen=True)
class CatalogModel:
    """A model that sweeps may name."""

    name: str
    model_type: str
    weights_bytes: int


# "agnostic", "aware", "aware_each".
def regime_name(regime: int) -> str:
    return sweep_pb2.Regime.Name(regime).lower()


def catalog(response: orchestrator_pb2.ListModelsResponse) -> list[CatalogModel]:
    return [CatalogModel(m.name, m.model_type, m.weights_bytes) for m in response.models]


def _time(stamp: timestamp_pb2.Timestamp) -> datetime.datetime | None:
    return stamp.ToDatetime(datetime.timezone.utc) if stamp.seconds else None


def sweep_info(sweep: sweep_pb2.Sweep) -> SweepInfo:
    spec, progress = sweep.spec, sweep.progress
    try:
        state = State(sweep_pb2.Sweep.State.Name(sweep.state).lower())
    except ValueError:  # a state of a later version: sweep.proto says to take it for RUNNING
        state = State.RUNNING
    return SweepInfo(
        id=sweep.id,
        name=spec.name,
        state=state,
        error=sweep.error,
        progress=Progress(
            units_total=progress.units_total,
            units_done=progress.units_done,
            units_running=progress.units_running,
            units_failed=progress.units_failed,
            units_reused=progress.units_reused,
            answers_total=progress.streams_total,
            answers_done=progress.streams_done,
            workers=progress.workers,
        ),
        models=(spec.model, *spec.more_models),
        datasets=tuple(dataset.name for dataset in spec.datasets),
        regimes=tuple(regime_name(regime) for regime in spec.regimes),
        presses=tuple(spec.presses),
        ratios=tuple(spec.ratios),
        created=_time(sweep.create_time),
        ended=_time(sweep.end_time),
        owner=sweep.owner,
        priority=sweep.priority,
    )
