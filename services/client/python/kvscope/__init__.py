"""KVScope from Python: submit sweeps to a cluster, watch them, read results as data frames.

with kvscope.Client("127.0.0.1:7400") as client:
    sweep = client.submit("sweeps/pocket.yaml")
    sweep.wait()
    cells = sweep.results().to_pandas()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kvscope.aio import AsyncClient, AsyncSweep
    from kvscope.client import Client, Sweep
    from kvscope.errors import (
        AlreadyExistsError,
        DeadlineExceededError,
        FailedPreconditionError,
        FieldViolation,
        InvalidArgumentError,
        KvscopeError,
        NotFoundError,
        PermissionDeniedError,
        ResourceExhaustedError,
        SweepCancelledError,
        SweepEndedError,
        SweepFailedError,
        UnauthenticatedError,
        UnavailableError,
    )
    from kvscope.heatmap import Heatmap
    from kvscope.model import CatalogModel, Progress, State, SweepInfo
    from kvscope.sweep_spec import Capture, File, Generated, Prompt, Rows, Score, SweepSpec
    from kvscope.table import Table

__all__ = [
    "AlreadyExistsError",
    "AsyncClient",
    "AsyncSweep",
    "Capture",
    "CatalogModel",
    "Client",
    "DeadlineExceededError",
    "FailedPreconditionError",
    "FieldViolation",
    "File",
    "Generated",
    "Heatmap",
    "InvalidArgumentError",
    "KvscopeError",
    "NotFoundError",
    "PermissionDeniedError",
    "Progress",
    "Prompt",
    "ResourceExhaustedError",
    "Rows",
    "Score",
    "State",
    "Sweep",
    "SweepCancelledError",
    "SweepEndedError",
    "SweepFailedError",
    "SweepInfo",
    "SweepSpec",
    "Table",
    "UnauthenticatedError",
    "UnavailableError",
]
_MODULES = ("client", "aio", "errors", "heatmap", "model", "sweep_spec", "table")


def __getattr__(name: str) -> Any:
    """Loads what is first asked for, so that `python -m kvscope figures` needs no gRPC."""
    if name in __all__:
        for module in _MODULES:
            found = getattr(importlib.import_module(f"kvscope.{module}"), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module 'kvscope' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
