"""The doubles of `ollama` and `lms`, run from the PATH as a script would run them."""

import json
import os
import re
import signal
import subprocess
import urllib.request
from contextlib import contextmanager

import pytest

from headgate.testing import LMStudioDouble, PullTrouble, ServedModel, write_lms, write_ollama


def run(folder, *words, **environment):
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path} | environment
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)


def get(url):
    with urllib.request.urlopen(url, timeout=5) as reply:
        return json.load(reply)


@contextmanager
def served(folder, **environment):
    """`ollama serve` with an address of its own, until the block ends; the log up to where it listens."""
    env = os.environ | {"OLLAMA_HOST": "127.0.0.1:0"} | environment
    process = subprocess.Popen([folder / "ollama", "serve"], env=env, stderr=subprocess.PIPE, text=True)
    log = []
    while not log or "Listening on" not in log[-1]:
        log.append(process.stderr.readline())
        assert log[-1], log
    try:
        yield re.search(r"Listening on (\S+)", log[-1])[1], "".join(log)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        process.stderr.close()


def test_ollama_serves_as_its_environment_says_and_tells_its_version(tmp_path):
    ollama = write_ollama(tmp_path, models=["phi3"], ignores=["OLLAMA_CONTEXT_LENGTH"])
    with served(tmp_path, OLLAMA_NUM_PARALLEL="4", OLLAMA_CONTEXT_LENGTH="16384") as (address, log):
        body = json.dumps({"model": "phi3"}).encode()
        with urllib.request.urlopen(f"http://{address}/api/generate", body, timeout=5) as reply:
            assert json.load(reply)["done_reason"] == "load"
        loaded = get(f"http://{address}/api/ps")["models"][0]
        version = run(tmp_path, "ollama", "--version", OLLAMA_HOST=address)
        taken = run(tmp_path, "ollama", "serve", OLLAMA_HOST=address)
    assert version.stdout == "ollama version is 0.33.0\n"
    assert loaded["context_length"] == 4096  # it does not listen to the other
    assert loaded["size"] == 4_920_753_328 + 4 * 4096 * 128 * 1024
    assert "OLLAMA_NUM_PARALLEL:4" in log
    assert "test double" in log
    assert (taken.returncode, "address already in use" in taken.stderr) == (1, True)
    first = ollama.calls()[0]
    assert (first.arguments, first.environment["OLLAMA_NUM_PARALLEL"]) == (("serve",), "4")


def test_ollama_without_a_server_says_which_client_it_is(tmp_path):
    write_ollama(tmp_path, version="0.21.2")
    got = run(tmp_path, "ollama", "--version", OLLAMA_HOST="127.0.0.1:9")
    assert "client version is 0.21.2" in got.stdout
    assert "could not connect" in got.stderr
    assert run(tmp_path, "ollama", "list", OLLAMA_HOST="127.0.0.1:9").returncode == 1
    write_ollama(tmp_path, fails="Error: no such device")
    failed = run(tmp_path, "ollama", "serve")
    assert (failed.returncode, failed.stderr) == (1, "Error: no such device\n")


def test_lms_starts_a_server_in_the_background_and_stops_it(tmp_path):
    lms = write_lms(tmp_path, models=["phi", "qwen"], port=0)
    assert json.loads(run(tmp_path, "lms", "server", "status", "--json").stdout) == {"running": False}
    assert run(tmp_path, "lms", "ls").returncode == 1
    started = run(tmp_path, "lms", "server", "start")
    try:
        status = json.loads(run(tmp_path, "lms", "server", "status", "--json").stdout)
        assert status["running"]
        assert started.stderr == f"Success! Server is now running on port {status['port']}\n"
        assert len(get(f"http://127.0.0.1:{status['port']}/api/v1/models")["models"]) == 2
    finally:
        run(tmp_path, "lms", "server", "stop")
    stopped = json.loads(run(tmp_path, "lms", "server", "status", "--json").stdout)
    assert stopped == {"running": False, "port": status["port"]}
    assert lms.calls()[2].arguments == ("server", "start")


def test_lms_loads_lists_and_unloads_what_a_test_has_running(tmp_path):
    models = {"phi": ServedModel(context=8192), "nomic": ServedModel(kind="embedding")}
    library = {"qwen": ServedModel(size=1000), "gemma": ServedModel(size=1000)}
    with LMStudioDouble(models, library=library).in_thread() as double:
        double.break_download("gemma", PullTrouble.CUT)
        write_lms(tmp_path, url=double.url)
        assert json.loads(run(tmp_path, "lms", "server", "status", "--json").stdout)["running"]
        loaded = run(tmp_path, "lms", "load", "phi", "-c", "2048", "--parallel", "2", "--ttl", "60", "-y")
        run(tmp_path, "lms", "load", "phi", "--identifier", "second")
        ps = json.loads(run(tmp_path, "lms", "ps", "--json").stdout)
        lost = run(tmp_path, "lms", "load", "nope")
        got = run(tmp_path, "lms", "get", "qwen", "-y")
        broken = run(tmp_path, "lms", "get", "gemma", "-y")
        ls = json.loads(run(tmp_path, "lms", "ls", "--llm", "--json").stdout)
        run(tmp_path, "lms", "unload", "--all")
        assert double.running() == []
    assert 'use the identifier "phi"' in loaded.stdout
    facts = [(m["identifier"], m["contextLength"], m["parallel"], m["ttlMs"], m["status"]) for m in ps]
    assert facts == [("phi", 2048, 2, 60_000, "idle"), ("second", 8192, 4, None, "idle")]
    assert (lost.returncode, lost.stderr) == (1, 'Error: Model "nope" not found\n')
    assert (got.stdout, broken.returncode) == ("Download completed.\n", 1)
    assert [model["modelKey"] for model in ls] == ["phi", "qwen"]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("", ("127.0.0.1", 11434)),
        ("0.0.0.0", ("0.0.0.0", 11434)),
        (":5000", ("127.0.0.1", 5000)),
        ("https://box", ("box", 443)),
        ("http://box:8080", ("box", 8080)),
    ],
)
def test_an_address_is_read_as_ollama_reads_it(said, meant):
    from headgate.testing.ollama_program import address

    assert address(said) == meant
