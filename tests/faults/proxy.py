"""A TCP proxy that can make a server slow."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from ingest.addresses import Address

CHUNK_BYTES = 64 * 1024


class SlowProxy:
    """Forwards a port of the loopback interface to another, each answer `delay_s` late.

    Args:
        target: `host:port` of the server.

    Attributes:
        delay_s: of each answer from now on.
        delayed: answers that came late.
    """

    def __init__(self, target: str) -> None:
        self.delay_s = 0.0
        self.delayed = 0
        server = Address.parse(target)
        self._host, self._port = server.host, server.port
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._connected, "127.0.0.1", 0, limit=CHUNK_BYTES)
        )
        self._talks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="slow proxy", daemon=True)

    @property
    def address(self) -> str:
        """`host:port` to connect to."""
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        try:
            await self._forward(reader, writer)
        except (OSError, asyncio.CancelledError):
            # Either end is gone, or the proxy is: both look like a server that went away.
            pass
        finally:
            self._talks.discard(talk)
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        try:
            questions = asyncio.ensure_future(_copy(reader, far_writer, lambda: 0.0))
            answers = asyncio.ensure_future(_copy(far_reader, writer, self._next_delay_s))
            done, pending = await asyncio.wait({questions, answers}, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            await asyncio.gather(*done, *pending, return_exceptions=True)
        finally:
            far_writer.close()
            with suppress(OSError):
                await far_writer.wait_closed()

    def _next_delay_s(self) -> float:
        self.delayed += self.delay_s > 0
        return self.delay_s


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: Callable[[], float]
) -> None:
    while data := await reader.read(CHUNK_BYTES):
        if (wait_s := delay_s()) > 0:
            await asyncio.sleep(wait_s)
        writer.write(data)
        await writer.drain()
