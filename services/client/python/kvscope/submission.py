"""What both clients do with a sweep before it is sent and after it has ended."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from kvscope.errors import SweepCancelledError, SweepFailedError
from kvscope.model import State, SweepInfo
from kvscope.sweep_spec import SweepSpec


def as_spec(spec: str | os.PathLike[str] | Mapping[str, Any] | SweepSpec) -> SweepSpec:
    if isinstance(spec, SweepSpec):
        return spec
    return SweepSpec.parse(spec) if isinstance(spec, Mapping) else SweepSpec.load(spec)


def check_ended(info: SweepInfo) -> SweepInfo:
    """Raises SweepFailedError or SweepCancelledError; else returns `info`."""
    if info.state == State.FAILED:
        raise SweepFailedError(info.error or f"sweep {info.id} failed", info)
    if info.state == State.CANCELLED:
        raise SweepCancelledError(f"sweep {info.id} was cancelled", info)
    return info
