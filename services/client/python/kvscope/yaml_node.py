"""Strict reading of sweep files: the command line's rules, its words and its line numbers.

A file and a dict come to the same `Node`s. Scalars stay text with whether they were plain: what
they mean is said by who reads them, so that `no`, `1e-3` and `"0.5"` are what the command line
takes them for (a text, a number, a text).
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

import yaml

from kvscope.errors import InvalidArgumentError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WHOLE = re.compile(r"[+-]?\d+")
_NULL = ("", "~", "null", "Null", "NULL")


@dataclasses.dataclass(frozen=True)
class Node:
    """A value: a scalar (`text`), a list (`items`), a map (`entries`), or nothing at all."""

    origin: str  # file and line, for messages
    text: str | None = None
    plain: bool = False  # not quoted: may be read as a number or a truth
    items: tuple[Node, ...] | None = None
    entries: tuple[tuple[Node, Node], ...] | None = None
    value: object = None  # a Python object that no file can hold

    def refuse(self, field: str, what: str) -> NoReturn:
        where = f"{self.origin}: {field}: " if field else f"{self.origin}: "
        raise InvalidArgumentError(where + what)

    def describe(self) -> str:
        if self.text is not None:
            return f'"{self.text[:60]}"'
        if self.items is not None:
            return "a list"
        if self.entries is not None:
            return "a map"
        return "empty" if self.value is None else f"a {type(self.value).__name__}"

    def as_text(self, field: str) -> str:
        if self.text is None:
            self.refuse(field, f"is {self.describe()}, must be text")
        return self.text

    def as_number(self, field: str) -> float:
        number = math.nan
        if self.text is not None and self.plain and _NUMBER.fullmatch(self.text):
            number = float(self.text)
        if not math.isfinite(number):
            self.refuse(field, f"is {self.describe()}, must be a number")
        return number or 0.0  # no negative zero

    def as_whole(self, field: str, low: int, high: int) -> int:
        if self.text is not None and self.plain and _WHOLE.fullmatch(self.text):
            if low <= int(self.text) <= high:
                return int(self.text)
        self.refuse(field, f"is {self.describe()}, must be a whole number from {low} to {high}")

    def as_flag(self, field: str) -> bool:
        if not self.plain or self.text not in ("true", "false"):
            self.refuse(field, f"is {self.describe()}, must be true or false")
        return self.text == "true"

    def as_list(self, field: str) -> tuple[Node, ...]:
        if self.items is None:
            self.refuse(field, f"is {self.describe()}, must be a list")
        if not self.items:
            self.refuse(field, "is an empty list, must have at least one element")
        return self.items


def known_names(name: str, known: Sequence[str]) -> str:
    """Tail of a message about a name that is none of `known`."""
    nearest = difflib.get_close_matches(name.lower(), known, 1, 0.7)
    hint = f'; did you mean "{nearest[0]}"?' if nearest else ""
    return f"{hint} (known: {', '.join(known)})"


class Section:
    """A map with known keys; its path leads the field names of messages."""

    def __init__(self, node: Node, path: str, known: Sequence[str]) -> None:
        self.node = node
        self._path = path
        self._found: dict[str, Node] = {}
        if node.entries is None:
            what = "is" if path else "the sweep is"
            node.refuse(path, f"{what} {node.describe()}, must be a map of keys and values")
        for key, value in node.entries:
            if key.text is None:
                key.refuse(path, f"a key is {key.describe()}, must be text")
            if key.text not in known:
                key.refuse(path, f'unknown key "{key.text}"{known_names(key.text, known)}')
            if key.text in self._found:
                key.refuse(self.field(key.text), "is given twice")
            self._found[key.text] = value

    def field(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def find(self, key: str) -> Node | None:
        return self._found.get(key)

    def require(self, key: str) -> Node:
        if key not in self._found:
            self.node.refuse(self.field(key), "is missing and has no default")
        return self._found[key]

    def text(self, key: str, default: str) -> str:
        node = self.find(key)
        if node is None:
            return default
        text = node.as_text(self.field(key))
        if not text:
            node.refuse(self.field(key), "is empty, must be text")
        return text

    def optional_text(self, key: str) -> str | None:
        node = self.find(key)
        return None if node is None else node.as_text(self.field(key))

    def choice(self, key: str, allowed: Sequence[str], default: str) -> str:
        node = self.find(key)
        return default if node is None else choose(node, self.field(key), allowed)

    def number(self, key: str, default: float) -> float:
        node = self.find(key)
        return default if node is None else node.as_number(self.field(key))

    def whole(self, key: str, low: int, high: int, default: int) -> int:
        node = self.find(key)
        return default if node is None else node.as_whole(self.field(key), low, high)

    def flag(self, key: str, default: bool) -> bool:
        node = self.find(key)
        return default if node is None else node.as_flag(self.field(key))

    def elements(self, key: str) -> list[tuple[str, Node]]:
        """The list's elements with their field names; none where the key is not there."""
        node = self.find(key)
        items = () if node is None else node.as_list(self.field(key))
        return [(f"{self.field(key)}[{i}]", item) for i, item in enumerate(items)]


def choose(node: Node, field: str, allowed: Sequence[str]) -> str:
    text = node.as_text(field)
    if text not in allowed:
        node.refuse(field, f"is {node.describe()}{known_names(text, allowed)}")
    return text


def from_yaml(text: str, origin: str) -> Node:
    """The file's only document."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        what = error.problem or error.context
        raise InvalidArgumentError(f"{origin}{line}: is not valid YAML: {what}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise InvalidArgumentError(f"{origin}: is not valid YAML: {error}") from None
    return _from_yaml(root, origin) if root is not None else Node(origin)


def _from_yaml(node: yaml.Node, origin: str) -> Node:
    where = f"{origin}:{node.start_mark.line + 1}"
    if isinstance(node, yaml.SequenceNode):
        return Node(where, items=tuple(_from_yaml(item, origin) for item in node.value))
    if isinstance(node, yaml.MappingNode):
        entries = ((_from_yaml(k, origin), _from_yaml(v, origin)) for k, v in node.value)
        return Node(where, entries=tuple(entries))
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    if plain and node.value in _NULL:
        return Node(where)
    return Node(where, text=node.value, plain=plain)


def from_python(value: object, origin: str) -> Node:
    """A dict as `json` or `yaml` would give it; other objects stay what they are."""
    if isinstance(value, str):
        return Node(origin, text=value)
    if isinstance(value, bool):
        return Node(origin, text=str(value).lower(), plain=True)
    if isinstance(value, (int, float)):
        return Node(origin, text=repr(value), plain=True)
    if isinstance(value, Mapping):
        entries = ((from_python(k, origin), from_python(v, origin)) for k, v in value.items())
        return Node(origin, entries=tuple(entries))
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return Node(origin, items=tuple(from_python(item, origin) for item in value))
    return Node(origin, value=value)
