"""A sweep as its user writes it: a YAML file, a dict with the same words, or these classes.

What only the cluster can judge (presses, model names, ranges of numbers) is left to it: its answer
names the field.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any, Union

from kvscope.errors import InvalidArgumentError, NotFoundError
from kvscope.v1 import sweep_pb2
from kvscope.yaml_node import Node, Section, choose, from_python, from_yaml

_MAX_FILE_BYTES = 1 << 20  # as the command line
_MAX_PASSAGES = 1_000_000
_MAX_SEED = (1 << 64) - 1
_SWEEP_KEYS = (
    "name",
    "model",
    "device",
    "dtype",
    "datasets",
    "regimes",
    "presses",
    "ratios",
    "seed",
    "max_new_tokens",
    "prompt",
    "capture",
    "score",
)
_REGIMES = {
    "agnostic": sweep_pb2.AGNOSTIC,
    "aware": sweep_pb2.AWARE,
    "aware_each": sweep_pb2.AWARE_EACH,
}


@dataclasses.dataclass(frozen=True)
class File:
    """JSON lines, one passage a line; the first `passages` of them, 0: all."""

    file: str
    passages: int = 0


@dataclasses.dataclass(frozen=True)
class Rows:
    """Passages in memory, each a dict with the keys of a JSON line."""

    name: str
    rows: Sequence[Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Generated:
    """Passages that the `kvscope` command writes; this package has no generator of its own."""

    name: str
    passages: int
    scale: str = "pocket"
    seed: int = 0


Dataset = Union[File, Rows, Generated]


@dataclasses.dataclass(frozen=True)
class Prompt:
    """The words around passage and question; None: the model's own, or the paper's."""

    instruction: str | None = None
    aware_line: str | None = None
    question_prefix: str | None = None
    question_suffix: str | None = None
    answer_prefix: str | None = None


@dataclasses.dataclass(frozen=True)
class Capture:
    """What is recorded beside the answers."""

    consensus: bool = True
    graph_passages: int = 0
    graph_epsilon: float = 0.02
    probe_pool: str = ""  # "last", "mean" or "context"; empty: no hidden states are kept
    probe_layers: Sequence[int] = ()  # empty: all
    heatmap_passages: int = 0


@dataclasses.dataclass(frozen=True)
class Score:
    """How answers are judged."""

    tokenizer: str = "model"
    correct: float = 0.5
    partial: float = 0.0
    abstentions: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class SweepSpec:
    """A grid: models x data sets x regimes x presses x ratios. Defaults are the command line's."""

    name: str
    model: str | Sequence[str]  # as the cluster's catalogue names it; of a path the last part
    datasets: Sequence[Dataset]
    presses: Sequence[str]
    ratios: Sequence[float]
    regimes: Sequence[str] = ("agnostic",)
    max_new_tokens: int = 32
    device: str = "auto"
    dtype: str = "auto"
    seed: int = 0
    prompt: Prompt = Prompt()
    capture: Capture = Capture()
    score: Score = Score()
    directory: pathlib.Path = pathlib.Path()  # that relative files are meant from
    origin: str = "sweep"  # for messages

    @staticmethod
    def load(path: str | os.PathLike[str]) -> SweepSpec:
        """Reads a sweep file. Raises NotFoundError, InvalidArgumentError (file, line, field)."""
        file = pathlib.Path(path)
        try:
            if file.stat().st_size > _MAX_FILE_BYTES:
                raise InvalidArgumentError(f"{file}: has over 1 MiB, which no sweep file needs")
            text = file.read_bytes().decode()
        except OSError:
            raise NotFoundError(f"{file}: no sweep file can be read there") from None
        except UnicodeDecodeError as error:
            raise InvalidArgumentError(f"{file}: byte {error.start} is not UTF-8") from None
        spec = _read(from_yaml(text, str(file)))
        return dataclasses.replace(spec, directory=file.parent, origin=str(file))

    @staticmethod
    def parse(mapping: Mapping[str, Any]) -> SweepSpec:
        """Reads a dict with a sweep file's words; its data sets may be `File`, `Rows`, ..."""
        return _read(from_python(mapping, "sweep"))

    def to_proto(self, datasets: Sequence[sweep_pb2.Dataset]) -> sweep_pb2.SweepSpec:
        """The message that is submitted; `datasets`: as uploaded. Byte for byte the command
        line's, so that both give a sweep the same request id."""
        try:
            return _to_proto(self, datasets)
        except (TypeError, ValueError) as error:  # a SweepSpec made by hand
            if isinstance(error, InvalidArgumentError):
                raise
            raise InvalidArgumentError(f"{self.origin}: {error}") from None


def _read(root: Node) -> SweepSpec:
    sweep = Section(root, "", _SWEEP_KEYS)
    sweep.require("name")
    seed = sweep.whole("seed", 0, _MAX_SEED, 0)
    for key in ("model", "datasets", "presses", "ratios"):
        sweep.require(key)
    models = sweep.require("model")
    return SweepSpec(
        name=sweep.text("name", ""),
        model=(
            sweep.text("model", "")
            if models.items is None
            else [node.as_text(field) for field, node in sweep.elements("model")]
        ),
        datasets=[_read_dataset(node, f, seed) for f, node in sweep.elements("datasets")],
        presses=[node.as_text(field).strip() for field, node in sweep.elements("presses")],
        ratios=sorted(node.as_number(field) for field, node in sweep.elements("ratios")),
        regimes=[choose(node, field, tuple(_REGIMES)) for field, node in sweep.elements("regimes")]
        or ["agnostic"],
        max_new_tokens=sweep.whole("max_new_tokens", 1, 4096, 32),
        device=_read_device(sweep),
        dtype=sweep.choice("dtype", ("auto", "float32", "bfloat16"), "auto"),
        seed=seed,
        prompt=_read_prompt(sweep),
        capture=_read_capture(sweep),
        score=_read_score(sweep),
    )


def _read_device(sweep: Section) -> str:
    node = sweep.find("device")
    named = "" if node is None else node.text or ""
    if re.fullmatch("cuda:([0-9]|[1-9][0-9])", named):
        return named
    return sweep.choice("device", ("auto", "cpu", "cuda"), "auto")


def _read_dataset(node: Node, path: str, sweep_seed: int) -> Dataset:
    if isinstance(node.value, (File, Rows, Generated)):
        return node.value
    entry = Section(node, path, ("name", "scale", "passages", "seed", "file"))
    if entry.find("file") is not None:
        for key in ("name", "scale", "seed"):
            beside = entry.find(key)
            if beside is not None:
                beside.refuse(
                    entry.field(key),
                    "stands beside file; a data set is either a file or generated",
                )
        return File(entry.text("file", ""), entry.whole("passages", 0, _MAX_PASSAGES, 0))
    if entry.find("name") is None:
        node.refuse(path, "needs either name (generated) or file (JSONL)")
    entry.require("passages")
    return Generated(
        name=entry.text("name", ""),
        passages=entry.whole("passages", 1, _MAX_PASSAGES, 0),
        scale=entry.choice("scale", ("paper", "pocket"), "pocket"),
        seed=entry.whole("seed", 0, _MAX_SEED, sweep_seed),
    )


def _read_prompt(sweep: Section) -> Prompt:
    node = sweep.find("prompt")
    if node is None:
        return Prompt()
    keys = tuple(field.name for field in dataclasses.fields(Prompt))
    section = Section(node, "prompt", keys)
    return Prompt(**{key: section.optional_text(key) for key in keys})


def _read_capture(sweep: Section) -> Capture:
    node = sweep.find("capture")
    if node is None:
        return Capture()
    section = Section(node, "capture", ("consensus", "graph", "probes", "heatmaps"))
    nothing = Node("", entries=())
    graph = Section(section.find("graph") or nothing, "capture.graph", ("passages", "epsilon"))
    probes = Section(section.find("probes") or nothing, "capture.probes", ("pool", "layers"))
    maps = Section(section.find("heatmaps") or nothing, "capture.heatmaps", ("passages",))
    if probes.find("layers") is not None:
        probes.require("pool")
    layers = [node.as_whole(field, 0, 1024) for field, node in probes.elements("layers")]
    return Capture(
        consensus=section.flag("consensus", True),
        graph_passages=graph.whole("passages", 0, _MAX_PASSAGES, 0),
        graph_epsilon=graph.number("epsilon", 0.02),
        probe_pool=probes.choice("pool", ("last", "mean", "context"), ""),
        probe_layers=sorted(layers),
        heatmap_passages=maps.whole("passages", 0, _MAX_PASSAGES, 0),
    )


def _read_score(sweep: Section) -> Score:
    node = sweep.find("score")
    if node is None:
        return Score()
    section = Section(node, "score", ("tokenizer", "correct", "partial", "abstentions"))
    return Score(
        tokenizer=section.text("tokenizer", "model"),
        correct=section.number("correct", 0.5),
        partial=section.number("partial", 0.0),
        abstentions=[node.as_text(field) for field, node in section.elements("abstentions")],
    )


def _last_name(path: str) -> str:
    """Of a model's path what a cluster knows it by."""
    return posixpath.basename(posixpath.normpath(path))


def _model_names(spec: SweepSpec) -> list[str]:
    models = [spec.model] if isinstance(spec.model, str) else list(spec.model)
    if not models:
        raise InvalidArgumentError(f"{spec.origin}: model: is empty, must name one")
    names: list[str] = []
    for i, model in enumerate(models):
        name = _last_name(model) if model else ""
        if name in names:
            first = names.index(name)
            raise InvalidArgumentError(
                f"{spec.origin}: model[{i}]: {model} and model[{first}], {models[first]}, are both "
                f"called {name} on a cluster, which knows models by the last part of their path"
            )
        names.append(name)
    return names


def _to_proto(spec: SweepSpec, datasets: Sequence[sweep_pb2.Dataset]) -> sweep_pb2.SweepSpec:
    models = _model_names(spec)
    unknown = [regime for regime in spec.regimes if regime not in _REGIMES]
    if unknown:
        raise InvalidArgumentError(
            f'{spec.origin}: regimes: "{unknown[0]}" is none of {", ".join(_REGIMES)}'
        )
    capture, score = spec.capture, spec.score
    proto = sweep_pb2.SweepSpec(
        name=spec.name,
        model=models[0],
        more_models=models[1:],
        device=spec.device,
        dtype=spec.dtype,
        datasets=datasets,
        regimes=[_REGIMES[regime] for regime in spec.regimes],
        presses=spec.presses,
        ratios=sorted(spec.ratios),
        max_new_tokens=spec.max_new_tokens,
        prompt=sweep_pb2.Prompt(**dataclasses.asdict(spec.prompt)),
        capture=sweep_pb2.Capture(
            consensus=capture.consensus,
            heatmap_passages=capture.heatmap_passages,
            probe_pool=capture.probe_pool,
            probe_layers=sorted(capture.probe_layers),
        ),
        scoring=sweep_pb2.Scoring(
            tokenizer=_last_name(score.tokenizer),
            correct_min_f1=score.correct,
            partial_above_f1=score.partial,
            abstentions=score.abstentions,
        ),
        seed=spec.seed,
    )
    if capture.graph_passages > 0:
        proto.capture.graph_passages = capture.graph_passages
        proto.capture.graph_epsilon = capture.graph_epsilon
    return proto
