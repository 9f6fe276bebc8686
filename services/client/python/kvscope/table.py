"""Results as columns: what a cluster streams, kept small and turned into data frames."""

from __future__ import annotations

import array
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas

TEXT, FLOAT, INT, FLAG, LIST = "text", "float", "int", "flag", "list"


class Column(NamedTuple):
    name: str
    kind: str
    get: Callable[[Any], Any]  # of a row's message; None: undefined (FLOAT and LIST only)


class Table:
    """Rows of one kind, in the cluster's order. Undefined numbers are NaN, undefined lists None.

    Iterating gives each row as a dict.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = tuple(columns)
        self._values: list[Any] = [_empty(column.kind) for column in columns]
        self._texts: dict[str, str] = {}  # each text once: most stand in thousands of rows

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column.name for column in self._columns)

    def add(self, row: Any) -> None:
        for (_, kind, get), values in zip(self._columns, self._values):
            value = get(row)
            if kind == TEXT:
                value = self._texts.setdefault(value, value)
            elif value is None and kind == FLOAT:
                value = math.nan
            values.append(value)

    def extend(self, rows: Iterable[Any]) -> None:
        for row in rows:
            self.add(row)

    def __len__(self) -> int:
        return len(self._values[0]) if self._values else 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        names = self.columns
        for i in range(len(self)):
            yield dict(zip(names, (values[i] for values in self._values)))

    def __repr__(self) -> str:
        return f"<table of {len(self)} rows and {len(self._columns)} columns>"

    def to_pandas(self) -> pandas.DataFrame:
        import numpy
        import pandas

        dtypes = {FLOAT: numpy.float64, INT: numpy.int64, FLAG: numpy.bool_}
        return pandas.DataFrame(
            {
                column.name: (
                    numpy.array(values, dtype=dtypes[column.kind])
                    if column.kind in dtypes
                    else pandas.Series(values, dtype=object if column.kind == LIST else None)
                )
                for column, values in zip(self._columns, self._values)
            }
        )


def _empty(kind: str) -> Any:
    if kind == FLOAT:
        return array.array("d")
    return array.array("q") if kind == INT else []
