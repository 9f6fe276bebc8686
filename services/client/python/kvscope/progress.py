"""A bar that follows a sweep: HTML in a notebook, text on a terminal, nothing elsewhere."""

from __future__ import annotations

import html
import sys
from typing import Any

from kvscope.model import State, SweepInfo


class ProgressBar:
    """`show`: None decides by where the output goes."""

    def __init__(self, show: bool | None = None) -> None:
        self._bar: _Notebook | _Terminal | None = None
        if show is False:
            return
        if _in_notebook():
            self._bar = _Notebook()
        elif show or sys.stderr.isatty():
            self._bar = _Terminal()

    def update(self, info: SweepInfo) -> None:
        if self._bar is not None:
            self._bar.update(info)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def note(info: SweepInfo) -> str:
    """What to say beside the bar."""
    progress = info.progress
    if info.state == State.CHECKING:
        return "checking the sweep" if progress.workers else "waiting for a worker"
    text = f"{progress.units_done}/{progress.units_total} units"
    if info.state == State.RUNNING and not progress.workers:
        text += ", waiting for a worker"
    if progress.units_failed:
        text += f", {progress.units_failed} failed"
    return text if info.state == State.RUNNING else f"{info.state}, {text}"


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


class _Notebook:
    def __init__(self) -> None:
        self._handle: Any = None

    def update(self, info: SweepInfo) -> None:
        from IPython.display import HTML, display

        fraction = 1.0 if info.state == State.SUCCEEDED else info.progress.fraction
        name = html.escape(info.name)
        text = html.escape(f"{100 * fraction:.0f} %, {note(info)}")
        page = HTML(
            f'{name} <progress value="{fraction:.4f}" style="width: 50%"></progress> {text}'
        )
        if self._handle is None:
            self._handle = display(page, display_id=True)
        else:
            self._handle.update(page)

    def close(self) -> None:
        pass


class _Terminal:
    def __init__(self) -> None:
        import tqdm

        self._bar = tqdm.tqdm(unit=" answers", unit_scale=True, leave=True)

    def update(self, info: SweepInfo) -> None:
        self._bar.set_description(info.name, refresh=False)
        self._bar.total = info.progress.answers_total or None
        self._bar.n = info.progress.answers_done
        self._bar.set_postfix_str(note(info), refresh=False)
        self._bar.refresh()

    def close(self) -> None:
        self._bar.close()
