"""One connection of an HTTPS listener: TCP, TLS by the peeked name, HTTP/1.1, deadlines.

A raw TCP protocol and not asyncio's TLS: the name is read before any cryptography, each phase has its own deadline, and
nothing that a stranger sends can raise into the loop. What is answered is a pure function that the listener is given;
content is taken for one server name alone, whose answers may come later (`exchange`), and nothing is read meanwhile.
Memory for one connection is bounded: one hello, one head and one read beside TLS's own buffers, and the content.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from http import HTTPStatus
from typing import Any, cast

from trinco.core.errors import Refused
from trinco.edge import http1, sni
from trinco.edge.exchange import Exchange
from trinco.edge.limits import Phase, origin
from trinco.edge.listener import Listener
from trinco.edge.pipe import Pipe
from trinco.edge.tls import Alert, Context, Engine, TlsFailure, fatal

DRAINED = 256 * 1024
"""Octets thrown away after a refusal, so that the peer can read it before it finds the connection closed."""


class Connection(asyncio.BufferedProtocol):
    """One connection. It waits for a hello, maybe for a context, then talks; after a refusal it drains."""

    __slots__ = (
        "_closing",
        "_engine",
        "_exchange",
        "_hello",
        "_left",
        "_listener",
        "_pipe",
        "_reader",
        "_server_name",
        "_spare",
        "_stuffed",
        "_tls13",
        "_waiting",
        "origin",
        "phase",
    )

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._reader = http1.Reader(listener.limits, contents=listener.house is not None)
        self._engine: Engine | None = None
        self._exchange: Exchange | None = None
        self._waiting: asyncio.Future[Context] | None = None
        self._hello = self._server_name = b""
        self._tls13 = False
        self._left = listener.limits.requests
        self._spare = DRAINED
        self._stuffed = self._closing = False
        self.origin: Hashable = None
        self.phase = Phase.HANDSHAKE

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._pipe = Pipe(cast(asyncio.Transport, transport))
        self.origin = origin(self._pipe.peer)
        self._listener.roster.enter(self)
        if self._listener.house is None and not self._listener.admits(b""):
            self.evict()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the interface's
        return self._listener.buffer

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(self._listener.buffer[:nbytes])
        try:
            if self._closing:
                self._throw_away(nbytes)
            elif self._engine is not None:
                self._decrypt(self._engine, data)
            else:
                self._greet(data)
        except Exception as fault:  # noqa: BLE001 - the outermost loop of a connection
            self._fail(fault)

    def eof_received(self) -> None:
        if not self._closing and self._engine is not None and self._engine.established:
            self._guarded(self._part)

    def pause_writing(self) -> None:
        self._stuffed = True
        self._pipe.pause()

    def resume_writing(self) -> None:
        self._stuffed = False
        self._guarded(self._resume)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whatever ended it, it has ended
        self._closing = True
        self._listener.roster.leave(self)
        self._give_up_content()
        if self._waiting is not None:
            self._waiting.remove_done_callback(self._arrived)
        self._engine = self._waiting = None

    # What the roster calls.

    def overdue(self, phase: Phase) -> None:
        self._guarded(self._give_up, phase)

    def evict(self) -> None:
        self._closing = True
        self._listener.roster.leave(self)
        self._give_up_content()
        self._pipe.abort()

    def dismiss(self) -> None:
        """The listener ends: whoever is not in the middle of something leaves."""
        if self._talking and self._exchange is None and not self._reader.begun:
            self._guarded(self._part)

    @property
    def _talking(self) -> bool:
        return self._engine is not None and self._engine.established and not self._closing

    def _guarded(self, step: Callable[..., None], *arguments: Any) -> None:
        """A fault of ours costs this peer its connection, and the others nothing."""
        try:
            step(*arguments)
        except Exception as fault:  # noqa: BLE001 - the outermost loop of a connection
            self._fail(fault)

    def _fail(self, fault: Exception) -> None:
        self._listener.log.fault(fault)
        self.evict()

    def _throw_away(self, nbytes: int) -> None:
        self._spare -= nbytes
        if self._spare < 0:  # a close with octets unread takes our last word from a peer of TLS: the deadline ends it
            (self.evict if self._engine is None else self._pipe.pause)()

    # The hello.

    def _greet(self, data: bytes) -> None:
        self._hello += data
        try:
            hello = sni.peek(self._hello, self._listener.limits.hello)
            if hello is None:
                return
            self._server_name, self._tls13 = hello
            if not self._listener.admits(self._server_name):
                self.evict()
                return
            context = self._listener.contexts.get(hello.server_name)
        except sni.BadHello as bad:
            self._refuse(bad.alert, bad.reason)
            self._drain()
        except sni.ContextUnavailable as unavailable:
            self._refuse(Alert.INTERNAL_ERROR, str(unavailable))
            self._leave()
        else:
            self._use(context)

    def _use(self, context: Context | asyncio.Future[Context] | None) -> None:
        if context is None:
            self._refuse(Alert.UNRECOGNIZED_NAME, "a name that is not served here")
            self._leave()
        elif isinstance(context, asyncio.Future):
            self._waiting = context
            self._pipe.pause()
            context.add_done_callback(self._arrived)
        else:
            self._begin(context)

    def _arrived(self, context: asyncio.Future[Context]) -> None:
        self._waiting = None
        if not self._closing:
            self._guarded(self._take, context)

    def _take(self, context: asyncio.Future[Context]) -> None:
        self._pipe.resume()
        if context.cancelled():
            self.evict()
        elif context.exception() is not None:
            self._pipe.write(fatal(Alert.INTERNAL_ERROR))
            self._leave()
        else:
            self._begin(context.result())

    def _refuse(self, alert: Alert, reason: str) -> None:
        self._listener.tally.hellos_refused += 1
        self._log("hello_refused", reason)
        self._pipe.write(fatal(alert))

    def _begin(self, context: Context) -> None:
        if not self._listener.admits(self._server_name):
            self.evict()
            return
        self._engine = context.engine(tls13=self._tls13)
        hello, self._hello = self._hello, b""
        self._decrypt(self._engine, hello)

    # The talk.

    def _decrypt(self, engine: Engine, data: bytes) -> None:
        begun = engine.established
        try:
            plaintext = engine.receive(data)
        except TlsFailure as failure:
            self._listener.tally.handshakes_failed += not begun
            self._log("tls_failed", str(failure))
            self._flush(engine)
            self._leave()
            return
        if engine.established:
            self._listener.tally.handshakes += not begun
            self._reader.feed(plaintext)
            self._talk(engine)
        self._flush(engine)

    def _talk(self, engine: Engine, answered: int = 0) -> None:
        """Answer the requests that are here, as long as the peer takes the answers."""
        left = self._left + answered
        try:
            if self._exchange is not None:
                self._take_content(self._exchange)
            while not (self._stuffed or self._closing or self._exchange) and (request := self._reader.next()):
                self._respond(engine, request)
        except Refused as refusal:
            self._reject(engine, refusal)
        if self._closing or self._answering:
            return
        if engine.ended and not self._stuffed:
            self._part()
        elif self._exchange is None:
            self._turn(left - self._left)

    def _turn(self, answered: int) -> None:
        """On to the phase that this conversation is in after so many answers. One that goes on keeps its deadline."""
        begun = self._reader.begun
        if answered and not begun:
            self._listener.roster.turn(self, Phase.IDLE)
        elif answered or self.phase is Phase.HANDSHAKE or (begun and self.phase is Phase.IDLE):
            self._listener.roster.turn(self, Phase.HEADER)

    def _respond(self, engine: Engine, request: http1.Request) -> None:
        if not self._listener.admits(self._server_name):
            self.evict()
        elif request.content:
            self._admit(engine, request)
        else:
            self._say(engine, request, self._listener.answer(request, self._server_name))

    def _say(self, engine: Engine, request: http1.Request, answer: http1.Response) -> None:
        self._left -= 1
        self._listener.tally.statuses[answer.status_line] += 1
        if self._left and request.keep_alive:
            connection = http1.KEEP_ALIVE if request.http10 else http1.NOTHING
            engine.send(http1.encode(answer, request.method, connection))
            self._flush(engine)
        else:
            engine.send(http1.encode(answer, request.method))
            self._part()

    def _reject(self, engine: Engine, refusal: Refused) -> None:
        """Answer what is no request, or no whole one; what follows it cannot be told apart any more."""
        self._turn_away(engine, http1.plain(refusal.http_status or HTTPStatus.BAD_REQUEST), refusal.reason)

    def _turn_away(self, engine: Engine, answer: http1.Response, reason: str) -> None:
        """Say this as the last word: what comes now is not read."""
        self._log("request_refused", reason)
        self._give_up_content()
        engine.send(http1.encode(answer))
        self._see_off(engine)

    def _see_off(self, engine: Engine) -> None:
        """Say close_notify to a peer of whom octets may still come, and throw them away."""
        engine.close()
        self._flush(engine)
        self._drain()

    def _resume(self, answered: int = 0) -> None:
        """Go on with what the peer had asked meanwhile: it took enough of what was said to it, or has its answer."""
        if self._closing:
            return
        if self._engine is not None and self._engine.established:
            self._talk(self._engine, answered)
        if not (self._stuffed or self._closing or self._answering):
            self._pipe.resume()

    # Content.

    @property
    def _answering(self) -> bool:
        return self._exchange is not None and self._exchange.answering

    def _admit(self, engine: Engine, request: http1.Request) -> None:
        """Let the content come, or say at once why not. Raises Refused."""
        house = self._listener.house_of(self._server_name)
        if house is None:
            http1.refuse_content(request)
        admitted = house.receiver.admits(request)
        if not isinstance(admitted, int):
            self._turn_away(engine, admitted, admitted.words)
            return
        self._exchange = exchange = house.enter(request, admitted, self._give_way)
        self._listener.roster.turn(self, Phase.CONTENT)
        if exchange.awaits_word and not self._reader.begun:
            engine.send(http1.CONTINUE)
        self._take_content(exchange)

    def _take_content(self, exchange: Exchange) -> None:
        """What is here of the content; when it is whole, have it answered. Raises Refused."""
        if exchange.answering:
            return
        rest = exchange.take(self._reader.take())
        if rest is not None:
            self._reader.feed(rest)
            self._pipe.pause()
            self._listener.roster.turn(self, Phase.ANSWER)
            exchange.answered(self._pipe.peer, self._decided)

    def _decided(self, task: asyncio.Task[http1.Response]) -> None:
        """The receiver has an answer. Whoever is not there any more gets none: that is all."""
        if not self._closing:
            self._guarded(self._go_on, task)

    def _go_on(self, task: asyncio.Task[http1.Response]) -> None:
        exchange, engine = self._exchange, self._engine
        if exchange is None or engine is None or task.cancelled():
            self.evict()
            return
        self._exchange, request = None, exchange.request
        answer = self._outcome(task)
        if self._left > 1 and request.keep_alive:
            self._say(engine, request, answer)
            self._resume(1)
        else:  # octets may be here that were not read meanwhile: a close would take the answer from the peer
            engine.send(http1.encode(answer, request.method))
            self._see_off(engine)

    def _outcome(self, task: asyncio.Task[http1.Response]) -> http1.Response:
        fault = task.exception()
        if fault is not None:
            self._listener.log.fault(fault)
            return http1.plain(HTTPStatus.SERVICE_UNAVAILABLE)
        if not task.result().succeeds:
            self._log("request_refused", task.result().words)
        return task.result()

    def _give_way(self) -> None:
        """The place of our content is needed."""
        if self._engine is not None:
            full = Refused("too much at once", http_status=HTTPStatus.SERVICE_UNAVAILABLE)
            self._guarded(self._reject, self._engine, full)

    def _give_up_content(self) -> None:
        if self._exchange is not None:
            self._exchange.leave()
            self._exchange = None

    # The end.

    def _give_up(self, phase: Phase) -> None:
        if not self._talking or self._engine is None:
            self.evict()
        elif self._exchange is not None:
            problem = self._exchange.overdue()
            if problem is not None:
                self._reject(self._engine, problem)
        elif phase is Phase.HEADER and self._reader.begun and not self._stuffed:
            self._reject(self._engine, Refused("not whole in time", http_status=HTTPStatus.REQUEST_TIMEOUT))
        else:
            self._part()

    def _part(self) -> None:
        """Say close_notify, and close when all that was said is on its way."""
        if self._engine is not None:
            self._engine.close()
            self._flush(self._engine)
        self._leave()

    def _leave(self) -> None:
        self._closing = True
        self._listener.roster.turn(self, Phase.CLOSING)
        self._pipe.close()

    def _drain(self) -> None:
        """Close our side alone, since a close with octets unread would take our last word from the peer."""
        self._closing = True
        self._listener.roster.turn(self, Phase.CLOSING)
        self._pipe.resume()
        self._pipe.close_our_side()

    def _flush(self, engine: Engine) -> None:
        self._pipe.write(engine.outgoing())

    def _log(self, event: str, reason: str) -> None:
        self._listener.log.line(event, reason=reason, server_name=self._server_name, peer=self._pipe.peer)
