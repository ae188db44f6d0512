"""`from headgate import Gate`: with a gate of its own and with the open one, from threads, left early, and closed; and the runner over HTTP."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

from headgate import AsyncGate, Gate
from headgate.client import HttpEmbedder, HttpRunner
from headgate.core.errors import ConfigError, EngineError, UsageError
from headgate.engines.connection import Clocks
from program_doubles import free_port

pytest.importorskip("xllamacpp")

PAGE = """
[server]
listen = "127.0.0.1:0"

[engines.embedded]
kind = "llamacpp"

[models.nano]
engine = "embedded"
id = "headgate-nano"
context = 2048

[models.embed]
engine = "embedded"
id = "headgate-embed"
kind = "embedding"

[[routes]]
name = "everything"
try = ["nano"]

[ledger]
path = "{home}/ledger.db"
flush = "20ms"
"""
CHARGED = "I was charged twice this month."
CRASHED = "The app crashes with an error whenever I log in."


@pytest.fixture
def page(shell, monkeypatch):
    """A page that this process finds as a program of the user's would; the data of its gates stays in the test's folder."""
    shell.write(PAGE.format(home=shell.home))
    monkeypatch.setenv("HOME", str(shell.home))
    for name in ("HEADGATE_CONFIG", "HEADGATE_DATA", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(shell.home)
    return shell


def rows(shell):
    return [json.loads(line) for line in shell("log", "--json").out.splitlines()]


def test_a_program_sorts_a_mail_asks_a_prompt_and_embeds_without_any_gate_being_open(page):
    with Gate() as gate:
        run = gate.run("triage", CHARGED)
        assert (run.status, run.label, run.output["category"]) == ("ok", "billing", "billing")
        answer = gate.ask("Which category fits: billing or technical? " + CHARGED, task="classification")
        assert str(answer) == "billing"
        assert (answer.model, answer.cost, answer.perfect, answer.route) == ("nano", 0.0, True, "everything")
        assert answer.tokens_in > 0
        one, two = gate.embed(["hello", "world"])
        assert (len(one), one != two) == (64, True)
        with urllib.request.urlopen(f"{gate.url}/v1/models") as listed:
            assert b"agent:triage" in listed.read()
        url = gate.url
    with pytest.raises(OSError):
        urllib.request.urlopen(url, timeout=5)
    ids = {row["id"] for row in rows(page)}
    assert {run.requests[0], answer.request} <= ids


def test_importing_headgate_loads_nothing_of_it():
    look = "import sys, headgate; print([m for m in sys.modules if m.startswith('headgate.')], 'asyncio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"


def test_many_inputs_come_back_in_their_order_and_no_more_are_taken_than_are_needed(page):
    taken = []

    def mails():
        for number in range(1000):
            taken.append(number)
            yield CHARGED if number % 2 else CRASHED

    with Gate() as gate:
        runs = gate.run_many("triage", mails(), at_once=3)
        labels = [next(runs).label for _ in range(6)]
        runs.close()
        assert labels == ["technical", "billing"] * 3
        assert len(taken) <= 10
        assert [run.label for run in gate.run_many("triage", [CHARGED, CRASHED])] == ["billing", "technical"]
        assert list(gate.run_many("triage", [])) == []


def test_several_threads_use_one_gate(page):
    with Gate() as gate:
        labels = {}

        def ask(number):
            labels[number] = gate.run("triage", CHARGED if number % 2 else CRASHED).label

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert labels == {number: "billing" if number % 2 else "technical" for number in range(8)}


async def test_a_program_with_an_event_loop_awaits_it(page):
    async with AsyncGate(page.home / "headgate.toml") as gate:
        labels = [run.label async for run in gate.run_many("triage", [CHARGED, CRASHED])]
        first, second = await asyncio.gather(gate.run("triage", CHARGED), gate.run("triage", CRASHED))
    assert labels == [first.label, second.label] == ["billing", "technical"]


def test_the_open_gate_is_used_if_it_is_of_the_same_page(page):
    opened = page("up", "-d", "--json").json
    try:
        with Gate() as gate:
            assert gate.url == opened["url"]
            gate.run("triage", CHARGED)
        with Gate(url=opened["url"] + "/v1") as gate:
            assert gate.run("triage", CHARGED).label == "billing"
        (page.home / "other.toml").write_text((page.home / "headgate.toml").read_text())
        with Gate("other.toml") as gate:
            assert gate.url != opened["url"]
        os.utime(page.home / "headgate.toml", (time.time() + 5, time.time() + 5))
        with Gate() as gate:
            assert gate.url != opened["url"], "that gate was opened with an older page"
    finally:
        page("down")


def test_a_gate_that_is_never_closed_closes_with_the_program_and_loses_no_row(page):
    program = (
        "from headgate import Gate; g = Gate(); print(g.run('triage', 'I was charged twice.').requests[0])"
    )
    slow = (page.home / "headgate.toml").read_text().replace('flush = "20ms"', 'flush = "60s"')
    page.write(slow)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=page.home,
        env=page.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [row["id"] for row in rows(page)] == [done.stdout.strip()]


def test_a_gate_that_is_thrown_away_closes_whichever_thread_finds_it(page):
    program = """
import gc, sys, threading, time
from headgate import Gate
gc.disable()
gate = Gate()
url, thread = gate.url, next(one for one in threading.enumerate() if one.name == "headgate")
gate.itself, loop = gate, gate._loop._loop
del gate
loop.call_soon_threadsafe(gc.collect)
thread.join(20)
print(thread.is_alive())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=page.home,
        env=page.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_what_is_asked_wrongly_is_an_error_with_a_hint(page):
    with Gate() as gate:
        for call, message, hint in (
            (lambda: gate.run("triag", "x"), 'there is no agent "triag"', 'did you mean "triage"?'),
            (lambda: gate.run("draft", "x"), "the input has no client", "client"),
            (
                lambda: gate.run("triage", "x", model="nanno"),
                'there is no model "nanno"',
                'did you mean "nano"?',
            ),
            (lambda: gate.ask("x", model="nanno"), 'there is no model "nanno"', 'did you mean "nano"?'),
            (lambda: gate.ask("x", task="cod"), 'there is no task "cod"', 'did you mean "code"?'),
            (lambda: gate.embed(["x"], model="nano"), "", ""),
        ):
            with pytest.raises(UsageError) as caught:
                call()
            assert caught.value.message.startswith(message)
            assert hint in caught.value.hint
            assert "hint:" not in caught.value.message
    with pytest.raises(UsageError, match="closed"):
        gate.run("triage", CHARGED)
    with pytest.raises(UsageError, match="config or an address"):
        Gate("headgate.toml", url="http://127.0.0.1:4141")
    with pytest.raises(ConfigError), Gate("gone.toml"):
        pass
    with pytest.raises(UsageError, match="not an http"):
        Gate(url="127.0.0.1:4141").run("triage", CHARGED)


# ── The runner over HTTP ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def port():
    return free_port()


def opened(page, port):
    gate = page.start("up", "--json", "--listen", f"127.0.0.1:{port}")
    told = gate.stdout.readline()
    assert told, gate.communicate()[1]
    return gate, json.loads(told)["url"]


def test_what_is_no_input_is_refused_and_not_sent_as_something_else(page):
    with Gate() as gate:
        for given in (b"I was charged twice.", None, 3, {"a": object()}, "half \udc80"):
            with pytest.raises(UsageError):
                gate.run("triage", given)
        with pytest.raises(UsageError, match="the input is empty"):
            gate.run("triage", "")
        with pytest.raises(UsageError, match="this is one"):
            list(gate.run_many("triage", "I was charged twice."))


def test_many_runs_that_are_stopped_by_ctrl_c_end_with_it(page):
    program = """
import os, signal
from headgate import Gate
with Gate() as gate:
    try:
        for number, run in enumerate(gate.run_many("triage", ["I was charged twice."] * 500)):
            if number == 2:
                signal.signal(signal.SIGALRM, signal.default_int_handler)
                signal.setitimer(signal.ITIMER_REAL, 0.05)
    except KeyboardInterrupt:
        print("stopped", gate.run("triage", "I was charged twice.").label)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=page.home,
        env=page.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "stopped billing\n", done.stderr


async def test_a_run_outlives_a_gate_that_dies_and_is_opened_again(page, port):
    gate, url = await asyncio.to_thread(opened, page, port)
    try:
        async with HttpRunner(url) as runner:
            first = await runner.run("triage", CHARGED, key="mail 1", batch=True, caller="a batch")
            again = await runner.run("triage", CHARGED, key="mail 1", batch=True, caller="a batch")
            assert again == first, "the same key is the same run"
            gate.kill()
            gate.wait()
            waiting = asyncio.create_task(runner.run("triage", CRASHED, key="mail 2"))
            gate, _ = await asyncio.to_thread(opened, page, port)
            assert (await waiting).label == "technical"
    finally:
        gate.terminate()
        gate.communicate()


async def test_a_gate_that_stays_away_is_an_error_that_names_it(port, monkeypatch):
    monkeypatch.setattr("headgate.client.WAITS", (0.01, 0.01))
    async with HttpRunner(f"http://127.0.0.1:{port}") as runner:
        with pytest.raises(EngineError) as caught:
            await runner.run("triage", CHARGED)
    assert (
        caught.value.message
        == f"the gate at http://127.0.0.1:{port} does not answer: nothing listens at 127.0.0.1:{port}"
    )
    assert "headgate up" in caught.value.hint


async def test_something_else_that_listens_there_is_no_gate(monkeypatch):
    async def hello(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(hello, "127.0.0.1", 0)
    async with server, HttpRunner(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as runner:
        with pytest.raises(EngineError, match="not this version of Headgate"):
            await runner.run("triage", CHARGED)


async def test_a_run_without_a_key_is_not_asked_twice_once_the_gate_may_have_begun_it(monkeypatch):
    monkeypatch.setattr("headgate.client.WAITS", (0.01, 0.01))
    asked = []

    async def dies(reader, writer):
        asked.append(await reader.readuntil(b"}"))
        writer.close()

    server = await asyncio.start_server(dies, "127.0.0.1", 0)
    async with server, HttpRunner(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as runner:
        with pytest.raises(EngineError):
            await runner.run("triage", CHARGED, key="mail 1")
        with_key = len(asked)
        with pytest.raises(EngineError):
            await runner.run("triage", CHARGED)
        assert (with_key, len(asked) - with_key) == (3, 1)
        with pytest.raises(EngineError):
            await runner.run("triage", CHARGED, batch=True, caller="Zoë's batch")
    assert b"x-headgate-priority" not in asked[0]
    assert b"x-headgate-priority: batch\r\n" in asked[-1]
    assert b"x-headgate-caller: Zo%C3%AB's batch\r\n" in asked[-1]


async def test_more_runs_than_connections_wait_as_long_as_it_takes(monkeypatch):
    monkeypatch.setattr("headgate.client.AT_ONCE", 2)
    monkeypatch.setattr(
        "headgate.client.CLOCKS", Clocks(connect=0.05, first_byte=9.0, between_bytes=9.0, total=9.0)
    )
    body = b'{"agent": "triage", "status": "ok", "output": "fine"}'
    under_way, most = 0, 0

    async def slow(reader, writer):
        nonlocal under_way, most
        while await reader.readuntil(b"}"):
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.1)
            under_way -= 1
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    async with server, HttpRunner(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as runner:
        runs = await asyncio.gather(*(runner.run("triage", CHARGED) for _ in range(7)))
    assert [run.output for run in runs] == ["fine"] * 7
    assert most == 2


async def test_a_batch_says_so_and_vectors_come_as_they_were_made(page, port):
    gate, url = await asyncio.to_thread(opened, page, port)
    try:
        async with HttpEmbedder(url, "embed") as embedder:
            vectors = await embedder.embed(["hello", "world"], query=True, batch=True)
            assert ([len(vector) for vector in vectors], embedder.model) == ([256, 256], "embed")
            assert vectors == await embedder.embed(["hello", "world"], query=True)
    finally:
        gate.terminate()
        gate.communicate()
