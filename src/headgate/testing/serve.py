"""`python -m headgate.testing.serve anthropic`: one double in a process of its own, until it is interrupted.

It prints one line, the URL, once the port is open; then it says nothing. Answers are canned or made up: this is for tests,
demonstrations and benchmarks, and every reply carries the header `x-headgate-double` with the label, so nobody takes it for the
real thing.
"""

# ruff: noqa: T201 - a command: its stdout is its answer

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace

from headgate.testing.answers import Answer, default_answer
from headgate.testing.anthropic import AnthropicDouble
from headgate.testing.calls import ReceivedCall
from headgate.testing.double import Double
from headgate.testing.lmstudio import LMStudioDouble
from headgate.testing.ollama import OllamaDouble
from headgate.testing.openai import OpenAIDouble

DOUBLES: dict[str, type[Double]] = {
    kind.name: kind for kind in (OllamaDouble, LMStudioDouble, OpenAIDouble, AnthropicDouble)
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve one double until SIGINT or SIGTERM; 1 when the port cannot be had."""
    wanted = _parser().parse_args(arguments)
    try:
        with asyncio.Runner(loop_factory=_fast_loop()) as runner:
            runner.run(_serve(wanted))
    except OSError as problem:
        print(f"error: cannot listen on {wanted.host}:{wanted.port}: {problem.strerror}", file=sys.stderr)
        print("hint: --port 0 picks a free port", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


async def _serve(wanted: argparse.Namespace) -> None:
    def answer(call: ReceivedCall) -> Answer:
        plain = wanted.answer is not None and call.schema is None
        said = Answer(wanted.answer) if plain else default_answer(call, double.label)
        return replace(said, delay=wanted.delay, chunk_delay=wanted.chunk_delay)

    double = DOUBLES[wanted.kind](
        wanted.model or None, answer, host=wanted.host, port=wanted.port, label=wanted.label, remember=100
    )
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            asyncio.get_running_loop().add_signal_handler(number, end.set)
        except NotImplementedError:  # Windows: Ctrl-C arrives as KeyboardInterrupt
            break
    async with double:
        print(double.url, flush=True)
        await end.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m headgate.testing.serve", description=__doc__.split("\n", 1)[0]
    )
    parser.add_argument("kind", choices=sorted(DOUBLES))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 (the default) picks a free one")
    parser.add_argument("--label", default=None, help="what replies call their maker")
    parser.add_argument(
        "--model", action="append", help="a model to serve instead of the usual ones; repeatable"
    )
    parser.add_argument("--answer", default=None, help="the text of every answer that need not fit a schema")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument(
        "--chunk-delay", type=float, default=0.0, help="seconds between the pieces of a stream"
    )
    return parser


def _fast_loop() -> "type[asyncio.AbstractEventLoop] | None":
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.Loop


if __name__ == "__main__":
    raise SystemExit(main())
