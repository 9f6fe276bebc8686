"""The client for asyncio: `AsyncClient` and `AsyncSweep`, word for word `Client` and `Sweep`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import grpc
import grpc.aio

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


class AsyncClient:
    """As `Client`, in one event loop; `async with` closes it."""

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
        self._opened: grpc.aio.Channel | None = None  # by the first call: it belongs to a loop
        self._connecting = asyncio.Lock()
        self._connected = False

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *unused: object) -> None:
        await self.close()

    async def submit(
        self,
        spec: PathLike | Mapping[str, Any] | SweepSpec,
        *,
        priority: int = 0,
        request_id: str | None = None,
        command: str = "kvscope",
    ) -> AsyncSweep:
        sweep = as_spec(spec)
        generated = passages.generated(sweep, command)
        datasets = await asyncio.to_thread(generated.__enter__)
        try:
            with self._target.open() as channel:
                uploaded = [
                    await self._upload(channel, d, f"datasets[{i}]", sweep)
                    for i, d in enumerate(datasets)
                ]
        finally:
            generated.__exit__(None, None, None)
        proto = sweep.to_proto(uploaded)
        request = rpc.CreateSweepRequest(
            request_id=request_id or connection.submission_id(proto), spec=proto, priority=priority
        )
        made = AsyncSweep(self, sweep_info(await self.call(connection.CREATE_SWEEP, request)))
        if made.info.state in (State.FAILED, State.CANCELLED):
            await made.resume()
        return made

    async def sweep(self, sweep: str) -> AsyncSweep:
        request = rpc.GetSweepRequest(sweep=sweep)
        return AsyncSweep(self, sweep_info(await self.call(connection.GET_SWEEP, request)))

    async def models(self) -> list[CatalogModel]:
        return catalog(await self.call(connection.LIST_MODELS, rpc.ListModelsRequest()))

    async def sweeps(self) -> AsyncIterator[AsyncSweep]:
        request = rpc.ListSweepsRequest()
        while True:
            page = await self.call(connection.LIST_SWEEPS, request)
            for sweep in page.sweeps:
                yield AsyncSweep(self, sweep_info(sweep))
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    # What AsyncSweep is made of.

    async def call(self, method: Method[Request, Response], request: Request) -> Response:
        async def once(timeout: float) -> Response:
            stub = self._channel.unary_unary(
                method.path, method.request.SerializeToString, method.response.FromString
            )
            return await stub(request, timeout=timeout, metadata=self._target.metadata)

        return await self.attempt(method, once)

    async def attempt(
        self,
        method: Method[Any, Any],
        once: Callable[[float], Awaitable[Result]],
        stream: bool = False,
    ) -> Result:
        await self._connect()
        attempts = Attempts(self._target, self._target.timeout, method.may_be_retried)
        while True:
            began = time.monotonic()
            try:
                return await once(connection.STREAM_TIMEOUT_S if stream else attempts.left)
            except grpc.RpcError as error:
                if stream and time.monotonic() - began > self._target.timeout:
                    attempts = Attempts(  # it was there for long
                        self._target, self._target.timeout, method.may_be_retried
                    )
                pause = attempts.pause_after(from_rpc(error))
            await asyncio.sleep(pause)

    async def open(
        self, method: Method[Request, Response], request: Request, timeout: float
    ) -> grpc.aio.UnaryStreamCall[Request, Response]:
        await self._connect()
        stub: grpc.aio.UnaryStreamMultiCallable[Request, Response] = self._channel.unary_stream(
            method.path, method.request.SerializeToString, method.response.FromString
        )
        return stub(request, timeout=timeout, metadata=self._target.metadata)

    async def read(
        self,
        method: Method[Request, Response],
        request: Request,
        collect: Callable[[AsyncIterable[Response]], Awaitable[Result]],
    ) -> Result:
        async def once(timeout: float) -> Result:
            return await collect(await self.open(method, request, timeout))

        return await self.attempt(method, once, stream=True)

    @property
    def _channel(self) -> grpc.aio.Channel:
        if self._opened is None:
            target = self._target
            self._opened = (
                grpc.aio.insecure_channel(target.address, options=target.options)
                if target.credentials is None
                else grpc.aio.secure_channel(
                    target.address, target.credentials, options=target.options
                )
            )
        return self._opened

    async def _connect(self) -> None:
        async with self._connecting:
            if self._connected:
                return
            check = self._channel.unary_unary(connection.HEALTH_CHECK, bytes, bytes)
            attempts = Attempts(self._target, self._target.connect_timeout, True)
            while not self._connected:
                try:
                    await check(b"", timeout=attempts.left, metadata=self._target.metadata)
                    self._connected = True
                except grpc.RpcError as caught:
                    error = from_rpc(caught)
                    self._connected = connection.reached(error)
                    if isinstance(error, DeadlineExceededError):
                        raise attempts.unreachable(error) from None
                    if not self._connected:
                        await asyncio.sleep(attempts.pause_after(error))

    async def _upload(
        self, channel: grpc.Channel, dataset: Dataset, field: str, spec: SweepSpec
    ) -> sweep_pb2.Dataset:
        async def once(timeout: float) -> sweep_pb2.Dataset:
            upload = Upload(channel, self._target, dataset, field, spec, timeout)
            ended = asyncio.Event()
            loop = asyncio.get_running_loop()

            def wake() -> None:
                loop.call_soon_threadsafe(ended.set)

            upload.on_end(wake)
            try:
                await ended.wait()
            except BaseException:
                upload.cancel()
                raise
            return upload.result()

        return await self.attempt(connection.UPLOAD_DATASET, once, stream=True)


class AsyncSweep:
    """As `Sweep`."""

    def __init__(self, client: AsyncClient, info: SweepInfo) -> None:
        self._client = client
        self.info = info

    @property
    def id(self) -> str:
        return self.info.id

    def __repr__(self) -> str:
        return f"<sweep {self.id} {self.info.name}: {self.info.state}>"

    async def refresh(self) -> SweepInfo:
        return await self._change(connection.GET_SWEEP, rpc.GetSweepRequest(sweep=self.id))

    async def cancel(self) -> SweepInfo:
        request = rpc.CancelSweepRequest(sweep=self.id, request_id=connection.new_request_id())
        return await self._change(connection.CANCEL_SWEEP, request)

    async def resume(self) -> SweepInfo:
        request = rpc.ResumeSweepRequest(sweep=self.id, request_id=connection.new_request_id())
        return await self._change(connection.RESUME_SWEEP, request)

    async def delete(self) -> None:
        request = rpc.DeleteSweepRequest(sweep=self.id, request_id=connection.new_request_id())
        await self._client.call(connection.DELETE_SWEEP, request)

    async def watch(self, patience: float = 300.0) -> AsyncIterator[SweepInfo]:
        method, request = connection.WATCH_SWEEP, rpc.WatchSweepRequest(sweep=self.id)
        last: SweepInfo | None = None
        attempts = Attempts(self._client._target, patience, method.may_be_retried)
        while last is None or not last.state.ended:
            stream = await self._client.open(method, request, connection.STREAM_TIMEOUT_S)
            try:
                async for message in stream:
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
                continue
            if last is None or not last.state.ended:
                await asyncio.sleep(attempts.pause_after(error))

    async def wait(self, *, progress: bool | None = None, patience: float = 300.0) -> SweepInfo:
        bar = ProgressBar(progress)
        try:
            async for info in self.watch(patience):
                bar.update(info)
        finally:
            bar.close()
        return check_ended(self.info)

    async def results(
        self, level: Literal["cells", "answers"] = "cells", by: Sequence[str] = ()
    ) -> Table:
        if columns.is_answers(level, by):
            answers = rpc.StreamAnswersRequest(sweep=self.id)
            return await self._client.read(connection.STREAM_ANSWERS, answers, _answers)
        request = rpc.ListCellsRequest(sweep=self.id, page_size=1000, group_by=by)
        table = Table(columns.cells(by))
        async for page in self._pages(connection.LIST_CELLS, request):
            table.extend(page.cells)
        return table

    async def probes(self, ratios: Sequence[float] = ()) -> Table:
        request = rpc.StreamProbesRequest(sweep=self.id, compression_ratios=ratios)
        return await self._client.read(connection.STREAM_PROBES, request, _probes)

    async def heatmaps(self) -> list[heatmap.Heatmap]:
        request = rpc.StreamHeatmapsRequest(sweep=self.id)
        return await self._client.read(connection.STREAM_HEATMAPS, request, _heatmaps)

    async def units(self) -> Table:
        table = Table(columns.UNITS)
        request = rpc.ListUnitsRequest(sweep=self.id)
        async for page in self._pages(connection.LIST_UNITS, request):
            table.extend(page.units)
        return table

    async def _change(
        self, method: Method[Request, sweep_pb2.Sweep], request: Request
    ) -> SweepInfo:
        self.info = sweep_info(await self._client.call(method, request))
        return self.info

    async def _pages(self, method: Method[Any, Response], request: Any) -> AsyncIterator[Response]:
        while True:
            page: Any = await self._client.call(method, request)
            yield page
            request.page_token = page.next_page_token
            if not request.page_token:
                return


async def _answers(stream: AsyncIterable[rpc.AnswerRows]) -> Table:
    table = Table(columns.ANSWERS)
    async for message in stream:
        table.extend(message.rows)
    return table


async def _probes(stream: AsyncIterable[rpc.ProbeRow]) -> Table:
    table = Table(columns.PROBES)
    async for row in stream:
        table.extend(columns.probe_scores(row))
    return table


async def _heatmaps(stream: AsyncIterable[rpc.HeatmapRow]) -> list[heatmap.Heatmap]:
    return [heatmap.from_row(row) async for row in stream]
