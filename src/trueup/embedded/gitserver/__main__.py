"""`python -m trueup.embedded.gitserver --root DIR`: the server as a process of its own. Prints its URL when it listens."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import ssl
import sys
from pathlib import Path

import structlog

from trueup.embedded.gitserver.access import Guard, Right, User
from trueup.embedded.gitserver.notify import Notifier
from trueup.embedded.gitserver.push import PushEvent
from trueup.embedded.gitserver.server import GitServer
from trueup.embedded.gitserver.service import Limits


def main(arguments: list[str] | None = None) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is for whoever started us
    asyncio.run(_serve(_parser().parse_args(arguments)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trueup.embedded.gitserver", description="A Git server on the loopback."
    )
    parser.add_argument("--root", type=Path, required=True, help="folder of the bare repositories")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument(
        "--create", action="append", default=[], metavar="NAME[=DIR]", help="make a repository, seeded from DIR"
    )
    parser.add_argument("--token", default="", help="password that writing needs (any user name)")
    parser.add_argument("--private", action="store_true", help="reading needs credentials too")
    parser.add_argument("--reader", action="append", default=[], metavar="NAME:PASSWORD", help="a user who may read")
    parser.add_argument("--bearer", action="append", default=[], metavar="TOKEN", help="a bearer token that may read")
    parser.add_argument("--max-pack-bytes", type=int, default=Limits().pack_bytes)
    parser.add_argument(
        "--notify", default="", metavar="URL", help="tell a controller of pushes; its token is in TRUEUP_PUSH_TOKEN"
    )
    parser.add_argument("--tls-cert", type=Path)
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument("--client-ca", type=Path, help="clients must show a certificate that this CA signed")
    return parser


async def _serve(options: argparse.Namespace) -> None:
    told = Told(options.notify)
    server = GitServer(options.root, told, guard=_guard(options), limits=Limits(pack_bytes=options.max_pack_bytes))
    options.root.mkdir(parents=True, exist_ok=True)
    for item in options.create:
        name, _, seed = item.partition("=")
        await server.create_repository(name, Path(seed) if seed else None)
    await server.start(options.port, tls=_tls(options))
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    told.base_url = server.url("")[: -len("/.git")]
    _say(f"listening {told.base_url}")
    await stopped.wait()
    await server.stop()


def _guard(options: argparse.Namespace) -> Guard:
    everything, reading = Right(read=True, write=True), Right(read=True)
    users = [User(secret=options.token, right=everything)] if options.token else []
    for item in options.reader:
        name, _, password = item.partition(":")
        users.append(User(name=name, secret=password, right=reading))
    users += [User(secret=token, right=reading, bearer=True) for token in options.bearer]
    anonymous = Right(read=not options.private, write=not options.private and not options.token)
    return Guard(anonymous, tuple(users))


def _tls(options: argparse.Namespace) -> ssl.SSLContext | None:
    if options.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.tls_cert, options.tls_key)
    if options.client_ca is not None:
        context.load_verify_locations(options.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class Told:
    """Prints each push, and passes it on where that is asked for. The server's own URL is known once it listens."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self.base_url = ""

    async def __call__(self, event: PushEvent) -> None:
        for update in event.updates:
            _say(f"pushed {event.repository} {update.ref} {update.before} {update.after}")
        if self._endpoint:
            await Notifier(self._endpoint, os.environ.get("TRUEUP_PUSH_TOKEN", ""), self.base_url)(event)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
