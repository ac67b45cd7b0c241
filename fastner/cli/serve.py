"""`fastner serve`: the tagger as an HTTP service, on this machine alone unless told otherwise."""

from __future__ import annotations

import argparse
import os

from fastner.cli.options import Commands, add_running, command, load_tagger, positive

PORT = 8000


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "serve",
        run,
        "answer requests for entities over HTTP",
        "POST /tag takes JSON, GET /openapi.json says which; GET /health, GET /metrics. Ctrl-C or "
        "SIGTERM stops it when what it took is answered. It has neither passwords nor TLS: "
        "for other machines, put a proxy before it. Needs the extra serve. See docs/serve.md.",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="where to listen (default: %(default)s, which only this machine reaches)",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=PORT,
        metavar="N",
        help="(default: %(default)s; 0: a free one, which is logged)",
    )
    parser.add_argument(
        "--workers",
        type=positive,
        default=1,
        metavar="N",
        help="processes, each with a model and counters of its own (default: 1, which tags in "
        "--threads threads)",
    )
    parser.add_argument(
        "--max-body", type=positive, metavar="N", help="bytes of a request (default: 1 MiB)"
    )
    parser.add_argument(
        "--max-texts", type=positive, metavar="N", help="texts of a request (default: 256)"
    )
    parser.add_argument(
        "--timeout", type=_seconds, metavar="S", help="for an answer, in seconds (default: 30)"
    )
    parser.add_argument(
        "--queue",
        type=positive,
        dest="queue_tokens",
        metavar="N",
        help="about how many tokens may wait before others are turned away (default: 500000)",
    )
    add_running(parser)


def run(args: argparse.Namespace) -> None:
    from fastner.errors import DependencyError, FastnerError, install_hint
    from fastner.serve import Settings

    try:
        import uvicorn
    except ImportError as error:
        raise DependencyError(f"fastner serve needs uvicorn; {install_hint('serve')}") from error
    with load_tagger(args):  # what is wrong with it is said here, once, not by each worker
        pass
    names = ("model", "engine", "device", "threads", "max_body", "max_texts", "timeout")
    given = {name: getattr(args, name) for name in (*names, "queue_tokens")}
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    os.environ.update(settings.to_environment())  # workers are processes of their own
    try:
        uvicorn.run(
            "fastner.serve.app:app",
            host=args.host,
            port=args.port,
            workers=args.workers,
            access_log=False,  # /metrics counts them
            proxy_headers=False,
            server_header=False,
            ws="none",
            lifespan="on",
            limit_concurrency=1024,
            timeout_graceful_shutdown=int(settings.timeout) + 5,
        )
    except SystemExit as end:
        if end.code:
            where = f"{args.host}:{args.port}"
            raise FastnerError(f"no service on {where}: what went wrong is said above") from None


def _port(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) < 1 << 16:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds above 0, got {text!r}")
    return value
