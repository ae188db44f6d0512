"""`headgate conformance`: does a gateway survive what engines do?"""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from headgate.cli.common import console, put_json, put_table, say, table, with_config, with_json

if TYPE_CHECKING:
    from headgate.testing.conformance import Case, FaultyUpstream, Finding, Target

PAGE = """\
[server]
listen = "{listen}"

[engines.first]
kind = "openai"
url = "{upstream}/v1"
key = "file:{folder}/key"
parallel = 32
first_token = "2s"
between_tokens = "2s"

[engines.second]
kind = "openai"
url = "{upstream}/v1"
key = "file:{folder}/key"
parallel = 32

[models.first]
engine = "first"
id = "faulty"

[models.second]
engine = "second"
id = "good"

[[routes]]
name = "everything"
try = ["first", "second"]

[limits]
answer_within = "10s"

[ledger]
path = "{folder}/ledger.db"
"""
"""The gate that is tested when no other is named: the page's defaults, but for the time that it waits for an engine."""

COLOURS = {
    "survived": "green",
    "loud": "yellow",
    "hung": "yellow",
    "unreached": "magenta",
    "silent": "bold red",
}
WORDS = {
    "survived": "survived",
    "loud": "failed loudly",
    "hung": "hung",
    "unreached": "not reached",
    "silent": "failed silently",
}


@click.command("conformance")
@click.option(
    "--base-url", metavar="URL", help="The gateway to test. By default, a gate of our own is opened."
)
@click.option("--model", default="auto", show_default=True, help="The model to ask the gateway for.")
@click.option("--key", metavar="TEXT", help="The gateway's API key.")
@click.option(
    "--header", "headers", multiple=True, metavar="TEXT", help='One more header, "name: value"; repeatable.'
)
@click.option("--timeout", default=20.0, metavar="SECONDS", help="For each reply; 20 by default.")
@click.option(
    "--only", "names", multiple=True, metavar="NAME", help="Only the cases of this name; repeatable."
)
@click.option(
    "--upstream", "only_upstream", is_flag=True, help="Only serve the faulty upstream, until Ctrl-C."
)
@click.option(
    "--listen",
    default="127.0.0.1:0",
    show_default=True,
    metavar="HOST:PORT",
    help="Where the upstream listens.",
)
@with_config
@with_json
def command(
    *,
    config_file: str | None,
    base_url: str | None,
    model: str,
    key: str | None,
    headers: tuple[str, ...],
    timeout: float,
    names: tuple[str, ...],
    listen: str,
    only_upstream: bool,
    as_json: bool,
) -> None:
    """Show a gateway everything that can go wrong with an engine, and judge its answers. Exit 1 if one failed silently.

    To test any gateway: `--upstream` serves an engine with two models, faulty and good; put the gateway in front of it,
    with a model that is sent to faulty and falls back to good; then `--base-url` sends the cases through the gateway.
    Without either, all of it is done with a gate of our own, or with the one in the file that --config names.
    """
    from headgate.cli.up import run_loop
    from headgate.config.misfit import Misfit
    from headgate.config.values import address
    from headgate.core.errors import UsageError
    from headgate.testing.conformance import FaultyUpstream, Target

    try:
        host, port = address(listen)
    except Misfit as error:
        raise UsageError(error.message, "headgate conformance --listen 127.0.0.1:9100") from error
    upstream = FaultyUpstream(host=host, port=port)
    if only_upstream:
        run_loop(serve(upstream, as_json=as_json))
        return
    cases = chosen(names)
    more = dict(split(header) for header in headers)
    if key is not None:
        more["authorization"] = f"Bearer {key}"

    async def test() -> None:
        async with AsyncExitStack() as stack:
            url = base_url
            if url is None:
                url = await stack.enter_async_context(own_gate(upstream, config_file))
            await report(Target(url, model, more, timeout), cases, as_json=as_json)

    run_loop(test())


def chosen(names: tuple[str, ...]) -> "tuple[Case, ...]":
    """The cases that are named, or all."""
    from headgate.core.errors import UsageError
    from headgate.testing.conformance import CASES, cases_named

    try:
        return cases_named(*names)
    except KeyError as error:
        from difflib import get_close_matches

        known = list(dict.fromkeys(case.name for case in CASES))
        close = get_close_matches(error.args[0], known, n=1)
        hint = f'did you mean "{close[0]}"?' if close else f"one of: {', '.join(known)}"
        raise UsageError(f'there is no case "{error.args[0]}"', hint) from error


def split(header: str) -> tuple[str, str]:
    """A header's name and value."""
    from headgate.core.errors import UsageError

    name, colon, value = header.partition(":")
    if not colon or not name.strip() or "\n" in header:
        raise UsageError(f'"{header}" is no header', '--header "name: value"')
    return name.strip().lower(), value.strip()


async def serve(upstream: "FaultyUpstream", *, as_json: bool) -> None:
    """Serve the upstream until a signal says stop."""
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
            asyncio.get_running_loop().add_signal_handler(number, end.set)
    async with opened(upstream):
        if as_json:
            put_json({"url": upstream.url, "models": list(upstream.models)})
        else:
            say(f"the upstream is open at {upstream.url}/v1 with the models {' and '.join(upstream.models)}")
            say("Ctrl-C closes it")
        await end.wait()


@asynccontextmanager
async def opened(upstream: "FaultyUpstream") -> "AsyncGenerator[None]":
    """The upstream while the block runs."""
    from headgate.core.errors import UsageError

    try:
        await upstream.start()
    except OSError as error:
        raise UsageError(f"the upstream cannot listen: {error.strerror}", "--listen 127.0.0.1:0") from error
    try:
        yield
    finally:
        await upstream.stop()


@asynccontextmanager
async def own_gate(upstream: "FaultyUpstream", config_file: str | None) -> AsyncGenerator[str]:
    """A gate of our own in front of the upstream; its address."""
    from headgate.app import open_gate
    from headgate.config.load import load_config, parse_config
    from headgate.demo.stage import serving
    from headgate.gateway.listening import address_of, bind

    with TemporaryDirectory(prefix="headgate-conformance-") as folder:
        async with opened(upstream):
            if config_file is not None:
                config = load_config(config_file, lambda *_: None)
            else:
                place = Path(folder)
                place.joinpath("key").write_text("none is needed", encoding="utf-8")
                page = PAGE.format(listen="127.0.0.1:0", upstream=upstream.url, folder=place.as_posix())
                config = parse_config(page, place / "headgate.toml", lambda *_: None)
            listening = bind(config.host, config.port)
            try:
                async with open_gate(config) as gate, serving(gate, listening):
                    yield address_of(listening)
            finally:
                listening.close()


async def report(target: "Target", cases: "tuple[Case, ...]", *, as_json: bool) -> None:
    """Send the cases, and show what came of them."""
    from headgate.core.errors import EngineError, HeadgateError
    from headgate.reports.shown import count
    from headgate.testing.conformance import NotReadyError, Verdict, run

    findings: list[Finding] = []
    with console(stderr=True).status("") as status:  # on a terminal only
        try:
            status.update("waiting for the faulty model")
            async for finding in run(target, cases):
                findings.append(finding)
                status.update(f"{len(findings)} of {len(cases)}: {finding.case} {WORDS[finding.verdict]}")
        except NotReadyError as error:
            raise EngineError(
                f"the gateway at {target.base_url} does not pass requests on to the faulty model: {error}",
                f'its model "{target.model}" must be sent to the upstream\'s model faulty, and fall back to good',
            ) from error
    totals = {verdict: sum(one.verdict is verdict for one in findings) for verdict in Verdict}
    if as_json:
        put_json({"totals": totals, "findings": findings})
    else:
        show(findings)
        say(", ".join(f"{number} {WORDS[verdict]}" for verdict, number in totals.items()))
    if totals[Verdict.SILENT]:
        raise HeadgateError(f"{count(totals[Verdict.SILENT], 'case')} failed silently")
    if totals[Verdict.UNREACHED]:
        raise HeadgateError(
            f"{count(totals[Verdict.UNREACHED], 'case')} did not reach the faulty model",
            "the gateway must not leave a failing engine alone during the test",
        )


def show(findings: "list[Finding]") -> None:
    """The scoreboard, on stdout."""
    from rich.text import Text

    made = table("case", "asked", "what came of it", "seconds", "what was seen", right=("seconds",))
    for one in findings:
        word = Text(WORDS[one.verdict], COLOURS[one.verdict])
        asked = "stream" if one.stream else "whole"
        made.add_row(one.case, asked, word, f"{one.seconds:.1f}", Text(one.detail))
    made.columns[-1].no_wrap = False
    put_table(made)
