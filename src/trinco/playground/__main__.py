"""`python -m trinco.playground`: the whole made-up internet in one process, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack

import structlog

from trinco import config
from trinco.net import https
from trinco.net.dns import Dns
from trinco.playground import control, mailserver, nameserver, store
from trinco.playground.authority import Authority
from trinco.playground.cast import Behaviour
from trinco.playground.resolver import asking
from trinco.playground.senders_post import Post
from trinco.playground.senders_road import Road
from trinco.playground.world import World

log = structlog.get_logger("trinco.playground")


def main() -> int:
    """Run until told to stop. The zones must have been laid out in the data directory."""
    try:
        settings = config.load(os.environ)
        world = store.load(settings.data)
    except (config.ConfigError, FileNotFoundError) as error:
        print(f"trinco playground: {error}", file=sys.stderr)  # noqa: T201 - no logger before the settings are known
        return 2
    _configure_log()
    # Streams that turn to TLS midway (STARTTLS) draw a warning without meaning from Python 3.11 at every hang-up.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    asyncio.run(_run(settings, world))
    return 0


def _configure_log() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ]
    )


async def _run(settings: config.Config, world: World) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    data, (host, port) = settings.data, settings.playground_listen
    responder = nameserver.Responder(world, asking(*settings.dns_listen[0]))
    post = Post(data, _road(settings))
    desk = control.Control(world, store.token(data), lambda: store.save(data, world), post.asked)
    speaking = [behaviour for behaviour in Behaviour if behaviour is not Behaviour.SILENT]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(nameserver.listen(responder, host, port))
        await stack.enter_async_context(control.listen(desk, host, port + 1))
        await stack.enter_async_context(mailserver.listen(Authority(data), speaking, settings.smtp_port))
        log.info("playground ready", zones=len(world.zones), address=f"{host}:{port}")
        sending = asyncio.create_task(post.run())
        await stop.wait()
        sending.cancel()


def _road(settings: config.Config) -> Road:
    """Senders ask the made-up resolver, and find hosts at the ports that Trinco has here."""
    smtp = settings.smtp_listen[0][1] if settings.smtp_listen else settings.smtp_port
    trusting = https.context(settings.data / "ca.pem")
    return Road(Dns((settings.playground_listen,)), smtp, settings.policy_port, trusting)


if __name__ == "__main__":
    sys.exit(main())
