"""The call that uploads a data set, as both clients make it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc

from kvscope import connection, passages
from kvscope.errors import KvscopeError
from kvscope.sweep_spec import Dataset, SweepSpec
from kvscope.v1 import orchestrator_pb2 as rpc
from kvscope.v1 import sweep_pb2


class Upload:
    """One attempt. It begins at once; gRPC reads the data set in a thread of its own.

    Not over grpc.aio: where a server ends a call that still writes, that one may have forgotten
    the server's reason ("Internal error from Core").
    """

    def __init__(
        self,
        channel: grpc.Channel,
        target: connection.Target,
        dataset: Dataset,
        field: str,
        spec: SweepSpec,
        timeout: float,
    ) -> None:
        self._wrong: KvscopeError | None = None  # in the data set itself
        method = connection.UPLOAD_DATASET
        stub = channel.stream_unary(
            method.path, method.request.SerializeToString, method.response.FromString
        )
        messages = self._messages(passages.messages(dataset, field, spec))
        self._call = stub.future(messages, timeout=timeout, metadata=target.metadata)

    def _messages(
        self, messages: Iterator[rpc.UploadDatasetRequest]
    ) -> Iterator[rpc.UploadDatasetRequest]:
        try:
            yield from messages
        except KvscopeError as error:
            self._wrong = error
            raise

    def on_end(self, callback: Callable[[], None]) -> None:
        """Calls `callback`, on any thread, when `result` will not wait any more."""

        def ended(call: object) -> None:
            callback()

        self._call.add_done_callback(ended)

    def cancel(self) -> None:
        self._call.cancel()

    def result(self) -> sweep_pb2.Dataset:
        """Waits for the end. Raises what is wrong in the data set, or grpc.RpcError."""
        try:
            return self._call.result()
        except grpc.RpcError:
            if self._wrong is not None:
                raise self._wrong from None
            raise
