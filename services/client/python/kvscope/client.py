"""The client that waits: `Client` for a cluster, `Sweep` for one of its sweeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

import grpc

from kvscope import columns, connection, heatmap, passages
from kvscope.connection import Attempts, Method, PathLike, Request, Response
from kvscope.errors import DeadlineExceededError, KvscopeError, UnavailableError, from_rpc
from kvscope.model import CatalogModel, State, SweepInfo, catalog, sweep_info
from kvscope.progress import ProgressBar
from kvscope.submission import as_spec, check_ended
from kvscope.sweep_spec import Dataset, SweepSpec
from kvscope.table import Table
from kvscope.uploads import Upload
from kvscope.v1 import orchestrator_pb2 as rpc
from kvscope.v1 import sweep_pb2

Result = TypeVar("Result")


class Client:
    """A cluster's orchestrator. Nothing is sent before the first call; close it, or use `with`.

    address: HOST:PORT. TLS is spoken where `tls`, `tls_ca` or a certificate is given (`tls=True`
    alone trusts the public authorities); `tls_server_name` is the name in the cluster's
    certificate, if the address says another one; plaintext beyond loopback needs `insecure`.
    token_file: read anew for each call, so that a token may be replaced.
    timeout: seconds that a call may take; where the server is away, it is tried again until then,
    if the call may be repeated at all. connect_timeout: the same before the server's first answer.
    All methods raise KvscopeError. Threads may share a client.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:7400",
        *,
        token: str | None = None,
        token_file: PathLike | None = None,
        tls: bool = False,
        tls_ca: PathLike | None = None,
        tls_cert: PathLike | None = None,
        tls_key: PathLike | None = None,
        tls_server_name: str | None = None,
        insecure: bool = False,
        timeout: float = 60.0,
        connect_timeout: float = 5.0,
    ) -> None:
        self._target = connection.make_target(
            address,
            token=token,
            token_file=token_file,
            tls=tls,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
            tls_server_name=tls_server_name,
            insecure=insecure,
            timeout=timeout,
            connect_timeout=connect_timeout,
        )
        self._channel = self._target.open()
        self._connecting = threading.Lock()
        self._connected = False

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def submit(
        self,
        spec: PathLike | Mapping[str, Any] | SweepSpec,
        *,
        priority: int = 0,
        request_id: str | None = None,
        command: str = "kvscope",
    ) -> Sweep:
        """Sends a sweep with its data sets.

        spec: a sweep file, a dict with its words, or a SweepSpec. The same sweep again is the same
        one, also where the command line submitted it: a cancelled or failed one goes on.
        priority: -100 to 100; units of a higher one are given out first; above 0 for admins alone.
        request_id: to make it another. command: the kvscope program, which writes the data sets
        that the sweep wants generated.
        """
        sweep = as_spec(spec)
        with passages.generated(sweep, command) as datasets:
            uploaded = [self._upload(d, f"datasets[{i}]", sweep) for i, d in enumerate(datasets)]
        proto = sweep.to_proto(uploaded)
        request = rpc.CreateSweepRequest(
            request_id=request_id or connection.submission_id(proto), spec=proto, priority=priority
        )
        made = Sweep(self, sweep_info(self.call(connection.CREATE_SWEEP, request)))
        if made.info.state in (State.FAILED, State.CANCELLED):
            made.resume()
        return made

    def sweep(self, sweep: str) -> Sweep:
        """The sweep of that id or unique name."""
        request = rpc.GetSweepRequest(sweep=sweep)
        return Sweep(self, sweep_info(self.call(connection.GET_SWEEP, request)))

    def models(self) -> list[CatalogModel]:
        """Those that sweeps may name."""
        return catalog(self.call(connection.LIST_MODELS, rpc.ListModelsRequest()))

    def sweeps(self) -> Iterator[Sweep]:
        """All sweeps, newest first."""
        request = rpc.ListSweepsRequest()
        while True:
            page = self.call(connection.LIST_SWEEPS, request)
            for sweep in page.sweeps:
                yield Sweep(self, sweep_info(sweep))
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    # What Sweep is made of.

    def call(self, method: Method[Request, Response], request: Request) -> Response:
        """One answer to one request."""
        stub = self._channel.unary_unary(
            method.path, method.request.SerializeToString, method.response.FromString
        )
        return self.attempt(method, lambda timeout: stub(request, timeout, self._target.metadata))

    def attempt(
        self,
        method: Method[Any, Any],
        once: Callable[[float], Result],
        stream: bool = False,
    ) -> Result:
        """`once` with the seconds that it may take, again as long as the call allows it."""
        self._connect()
        attempts = Attempts(self._target, self._target.timeout, method.may_be_retried)
        while True:
            began = time.monotonic()
            try:
                return once(connection.STREAM_TIMEOUT_S if stream else attempts.left)
            except grpc.RpcError as error:
                if stream and time.monotonic() - began > self._target.timeout:
                    attempts = Attempts(  # it was there for long
                        self._target, self._target.timeout, method.may_be_retried
                    )
                pause = attempts.pause_after(from_rpc(error))
            time.sleep(pause)

    def open(
        self, method: Method[Request, Response], request: Request, timeout: float
    ) -> grpc._CallIterator[Response]:
        """One stream of answers, once."""
        self._connect()
        stub = self._channel.unary_stream(
            method.path, method.request.SerializeToString, method.response.FromString
        )
        return stub(request, timeout, self._target.metadata)

    def read(
        self,
        method: Method[Request, Response],
        request: Request,
        collect: Callable[[Iterable[Response]], Result],
    ) -> Result:
        """What `collect` makes of a whole stream; from its start where it broke."""
        return self.attempt(
            method,
            lambda timeout: collect(self.open(method, request, timeout)),
            stream=True,
        )

    def _connect(self) -> None:
        """Waits until a server answers at all, so that a wrong address is told soon."""
        with self._connecting:
            if self._connected:
                return
            check = self._channel.unary_unary(connection.HEALTH_CHECK, bytes, bytes)
            attempts = Attempts(self._target, self._target.connect_timeout, True)
            while not self._connected:
                try:
                    check(b"", attempts.left, self._target.metadata)
                    self._connected = True
                except grpc.RpcError as caught:
                    error = from_rpc(caught)
                    self._connected = connection.reached(error)
                    if isinstance(error, DeadlineExceededError):
                        raise attempts.unreachable(error) from None
                    if not self._connected:
                        time.sleep(attempts.pause_after(error))

    def _upload(self, dataset: Dataset, field: str, spec: SweepSpec) -> sweep_pb2.Dataset:
        def once(timeout: float) -> sweep_pb2.Dataset:
            upload = Upload(self._channel, self._target, dataset, field, spec, timeout)
            try:
                return upload.result()
            except BaseException:  # such as Ctrl-C
                upload.cancel()
                raise

        return self.attempt(connection.UPLOAD_DATASET, once, stream=True)


class Sweep:
    """A submitted sweep. `info` is what the cluster last said of it; `refresh` asks again."""

    def __init__(self, client: Client, info: SweepInfo) -> None:
        self._client = client
        self.info = info

    @property
    def id(self) -> str:
        return self.info.id

    def __repr__(self) -> str:
        return f"<sweep {self.id} {self.info.name}: {self.info.state}>"

    def refresh(self) -> SweepInfo:
        return self._change(connection.GET_SWEEP, rpc.GetSweepRequest(sweep=self.id))

    def cancel(self) -> SweepInfo:
        """Stops it; what is recorded stays. An ended sweep stays as it is."""
        request = rpc.CancelSweepRequest(sweep=self.id, request_id=connection.new_request_id())
        return self._change(connection.CANCEL_SWEEP, request)

    def resume(self) -> SweepInfo:
        """Takes a cancelled or failed sweep up where it stopped."""
        request = rpc.ResumeSweepRequest(sweep=self.id, request_id=connection.new_request_id())
        return self._change(connection.RESUME_SWEEP, request)

    def delete(self) -> None:
        """Removes an ended sweep and results that no other sweep uses."""
        request = rpc.DeleteSweepRequest(sweep=self.id, request_id=connection.new_request_id())
        self._client.call(connection.DELETE_SWEEP, request)

    def watch(self, patience: float = 300.0) -> Iterator[SweepInfo]:
        """Its state now and at every change, until it ends.

        A stream that breaks is opened again, with growing pauses; nothing is told twice.
        patience: seconds without an answer after which UnavailableError is raised.
        """
        method, request = connection.WATCH_SWEEP, rpc.WatchSweepRequest(sweep=self.id)
        last: SweepInfo | None = None
        attempts = Attempts(self._client._target, patience, method.may_be_retried)
        while last is None or not last.state.ended:
            stream = self._client.open(method, request, connection.STREAM_TIMEOUT_S)
            try:
                for message in stream:
                    attempts = Attempts(self._client._target, patience, method.may_be_retried)
                    self.info = sweep_info(message)
                    if self.info != last:
                        last = self.info
                        yield last
                error: KvscopeError = UnavailableError("the stream ended before the sweep")
            except grpc.RpcError as caught:
                error = from_rpc(caught)
            finally:
                stream.cancel()
            if isinstance(error, DeadlineExceededError):
                continue  # the stream's own; another one goes on
            if last is None or not last.state.ended:
                time.sleep(attempts.pause_after(error))

    def wait(self, *, progress: bool | None = None, patience: float = 300.0) -> SweepInfo:
        """Waits until it has succeeded.

        progress: a bar, always or never; None: in notebooks and on terminals.
        Raises SweepFailedError, SweepCancelledError.
        """
        bar = ProgressBar(progress)
        try:
            for info in self.watch(patience):
                bar.update(info)
        finally:
            bar.close()
        return check_ended(self.info)

    def results(
        self, level: Literal["cells", "answers"] = "cells", by: Sequence[str] = ()
    ) -> Table:
        """Means by model, data set, regime, press and ratio (cells), or every answer.

        by: tags that part the cells: direction, answer_type, question_type, hop.
        The columns are those of `kvscope results --format csv`; so far as the sweep has got.
        """
        if columns.is_answers(level, by):
            answers = rpc.StreamAnswersRequest(sweep=self.id)
            return self._client.read(connection.STREAM_ANSWERS, answers, _answers)
        request = rpc.ListCellsRequest(sweep=self.id, page_size=1000, group_by=by)
        table = Table(columns.cells(by))
        for page in self._pages(connection.LIST_CELLS, request):
            table.extend(page.cells)
        return table

    def probes(self, ratios: Sequence[float] = ()) -> Table:
        """Scores of linear probes on the captured hidden states, fitted now; of all ratios, or
        of some. Needs `capture: {probes: {pool: ...}}`."""
        request = rpc.StreamProbesRequest(sweep=self.id, compression_ratios=ratios)
        return self._client.read(connection.STREAM_PROBES, request, _probes)

    def heatmaps(self) -> list[heatmap.Heatmap]:
        """The keep sets that were stored. Needs `capture: {heatmaps: {passages: N}}`."""
        request = rpc.StreamHeatmapsRequest(sweep=self.id)
        return self._client.read(connection.STREAM_HEATMAPS, request, _heatmaps)

    def units(self) -> Table:
        """What workers take at once, with its state, attempts and error."""
        table = Table(columns.UNITS)
        for page in self._pages(connection.LIST_UNITS, rpc.ListUnitsRequest(sweep=self.id)):
            table.extend(page.units)
        return table

    def _change(self, method: Method[Request, sweep_pb2.Sweep], request: Request) -> SweepInfo:
        self.info = sweep_info(self._client.call(method, request))
        return self.info

    def _pages(self, method: Method[Any, Response], request: Any) -> Iterator[Response]:
        while True:
            page: Any = self._client.call(method, request)
            yield page
            request.page_token = page.next_page_token
            if not request.page_token:
                return


def _answers(stream: Iterable[rpc.AnswerRows]) -> Table:
    table = Table(columns.ANSWERS)
    for message in stream:
        table.extend(message.rows)
    return table


def _probes(stream: Iterable[rpc.ProbeRow]) -> Table:
    table = Table(columns.PROBES)
    for row in stream:
        table.extend(columns.probe_scores(row))
    return table


def _heatmaps(stream: Iterable[rpc.HeatmapRow]) -> list[heatmap.Heatmap]:
    return [heatmap.from_row(row) for row in stream]
