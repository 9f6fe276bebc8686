"""How a channel to the orchestrator is made, and how its calls are made: shared by both clients."""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import os
import pathlib
import random
import re
import time
import uuid
from collections.abc import Iterator
from typing import Generic, TypeVar

import grpc
from google.protobuf.message import Message

from kvscope.errors import (
    DeadlineExceededError,
    InvalidArgumentError,
    KvscopeError,
    NotFoundError,
    UnavailableError,
)
from kvscope.v1 import orchestrator_pb2 as rpc
from kvscope.v1 import sweep_pb2

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
PathLike = str | os.PathLike[str]

_MAX_MESSAGE_BYTES = 4 << 20  # as services/rpc/channel.h
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
STREAM_TIMEOUT_S = 3600.0  # of one stream; a watch opens another then


@dataclasses.dataclass(frozen=True)
class Method(Generic[Request, Response]):
    """A call of OrchestratorService; orchestrator.proto says whether it may be retried."""

    name: str
    request: type[Request]
    response: type[Response]
    may_be_retried: bool = True

    @property
    def path(self) -> str:
        return f"/kvscope.v1.OrchestratorService/{self.name}"


UPLOAD_DATASET = Method("UploadDataset", rpc.UploadDatasetRequest, sweep_pb2.Dataset)
CREATE_SWEEP = Method("CreateSweep", rpc.CreateSweepRequest, sweep_pb2.Sweep)
GET_SWEEP = Method("GetSweep", rpc.GetSweepRequest, sweep_pb2.Sweep)
LIST_SWEEPS = Method("ListSweeps", rpc.ListSweepsRequest, rpc.ListSweepsResponse)
CANCEL_SWEEP = Method("CancelSweep", rpc.CancelSweepRequest, sweep_pb2.Sweep)
RESUME_SWEEP = Method("ResumeSweep", rpc.ResumeSweepRequest, sweep_pb2.Sweep)
DELETE_SWEEP = Method("DeleteSweep", rpc.DeleteSweepRequest, rpc.DeleteSweepResponse)
WATCH_SWEEP = Method("WatchSweep", rpc.WatchSweepRequest, sweep_pb2.Sweep)
LIST_CELLS = Method("ListCells", rpc.ListCellsRequest, rpc.ListCellsResponse)
STREAM_ANSWERS = Method("StreamAnswers", rpc.StreamAnswersRequest, rpc.AnswerRows)
STREAM_HEATMAPS = Method("StreamHeatmaps", rpc.StreamHeatmapsRequest, rpc.HeatmapRow)
STREAM_PROBES = Method("StreamProbes", rpc.StreamProbesRequest, rpc.ProbeRow)
LIST_UNITS = Method("ListUnits", rpc.ListUnitsRequest, rpc.ListUnitsResponse)
LIST_MODELS = Method("ListModels", rpc.ListModelsRequest, rpc.ListModelsResponse)

HEALTH_CHECK = "/grpc.health.v1.Health/Check"  # with an empty request: the whole server


@dataclasses.dataclass(frozen=True)
class Target:
    """Where the orchestrator is and how to speak to it."""

    address: str
    credentials: grpc.ChannelCredentials | None  # None: plaintext
    token: str | None
    token_file: PathLike | None  # read anew for each call
    server_name: str | None  # in the server's certificate, if the address says another one
    timeout: float  # seconds that a call may take, its retries included
    connect_timeout: float  # the same before the first answer of all

    @property
    def options(self) -> list[tuple[str, int | str]]:
        name = [("grpc.ssl_target_name_override", self.server_name)] if self.server_name else []
        return [
            *name,
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.min_reconnect_backoff_ms", 200),
            ("grpc.max_reconnect_backoff_ms", 5_000),
            ("grpc.enable_retries", 0),  # `Attempts` does it, for every kind of call
        ]

    def open(self) -> grpc.Channel:
        """A channel that connects when it is first used."""
        if self.credentials is None:
            return grpc.insecure_channel(self.address, options=self.options)
        return grpc.secure_channel(self.address, self.credentials, options=self.options)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        token = _read_token(self.token_file) if self.token_file is not None else self.token
        return (("authorization", f"Bearer {token}"),) if token else ()


def make_target(
    address: str,
    *,
    token: str | None,
    token_file: PathLike | None,
    tls: bool,
    tls_ca: PathLike | None,
    tls_cert: PathLike | None,
    tls_key: PathLike | None,
    tls_server_name: str | None,
    insecure: bool,
    timeout: float,
    connect_timeout: float,
) -> Target:
    """Raises InvalidArgumentError for what does not fit together, NotFoundError for a file."""
    host = _host(address)
    if token is not None and token_file is not None:
        raise InvalidArgumentError("token and token_file: give one of them")
    if token_file is not None:
        _read_token(token_file)
    if (tls_cert is None) != (tls_key is None):
        raise InvalidArgumentError("tls_cert and tls_key: give both, or neither")
    credentials = None
    if tls or tls_ca is not None or tls_cert is not None:
        credentials = grpc.ssl_channel_credentials(
            root_certificates=_read("tls_ca", tls_ca) if tls_ca is not None else None,
            private_key=_read("tls_key", tls_key) if tls_key is not None else None,
            certificate_chain=_read("tls_cert", tls_cert) if tls_cert is not None else None,
        )
    elif not _is_loopback(host):
        with_token = token is not None or token_file is not None
        if with_token or not insecure:
            raise InvalidArgumentError(
                f"refusing to connect to {address} without encryption: it is not a loopback address"
                + (
                    ", and whoever listens in could use the token; give tls_ca"
                    if with_token
                    else "; give tls_ca, or insecure=True to allow it"
                )
            )
    return Target(
        address, credentials, token, token_file, tls_server_name, timeout, connect_timeout
    )


def _read_token(path: PathLike) -> str:
    words = _read("token_file", path).decode(errors="replace").split()
    if len(words) != 1:
        raise InvalidArgumentError(f"token_file: {path}: must hold one token and nothing else")
    return words[0]


def _host(address: str) -> str:
    match = re.fullmatch(r"(?:\[([^/\s\[\]]+)\]|([^/\s\[\]:]+)):(\d{1,5})", address)
    if match is None or int(match[3]) > 65535:
        raise InvalidArgumentError(
            f'"{address}" is no address: it must be HOST:PORT, such as 127.0.0.1:7400'
        )
    return match[1] or match[2]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read(name: str, path: PathLike) -> bytes:
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise NotFoundError(f"{name}: {path}: {error.strerror or error}") from None


def pauses() -> Iterator[float]:
    """Seconds between tries: twice as long each time, up to a limit, each drawn a little apart so
    that many clients do not come back at once."""
    pause = _FIRST_PAUSE_S
    while True:
        yield pause * random.uniform(0.8, 1.2)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


class Attempts:
    """The tries of one call, until a deadline that they share."""

    def __init__(self, target: Target, budget: float, may_be_retried: bool) -> None:
        self._target = target
        self._budget = budget
        self._may_be_retried = may_be_retried
        self._end = time.monotonic() + budget
        self._pauses = pauses()

    @property
    def left(self) -> float:
        return max(self._end - time.monotonic(), 0.001)

    def pause_after(self, error: KvscopeError) -> float:
        """Seconds to wait before the next try; raises `error` where there is to be none."""
        pause = next(self._pauses)
        if isinstance(error, UnavailableError) and self._may_be_retried:
            pause = max(pause, error.retry_after or 0)
            if time.monotonic() + pause >= self._end:
                raise self.unreachable(error) from None
            return pause
        # Refused for now, before anything was done (a rate limit): any call may come again.
        if error.retry_after is None or time.monotonic() + error.retry_after >= self._end:
            raise error from None
        return max(pause, error.retry_after)

    def unreachable(self, error: KvscopeError) -> UnavailableError:
        return UnavailableError(
            f"no server answers at {self._target.address} (tried for {self._budget:g} s): "
            f"{error.message}"
        )


def reached(error: KvscopeError) -> bool:
    """Whether a server has answered, be it with a refusal."""
    return not isinstance(error, (UnavailableError, DeadlineExceededError))


def new_request_id() -> str:
    return f"py-{uuid.uuid4().hex}"


def submission_id(spec: sweep_pb2.SweepSpec) -> str:
    """The same spec gives the same id, so that a repeated submission is the same sweep; it is the
    command line's id as well."""
    return "run-" + hashlib.sha256(spec.SerializeToString(deterministic=True)).hexdigest()
