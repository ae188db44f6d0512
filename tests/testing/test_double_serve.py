"""`python -m headgate.testing.serve`: a double in a process of its own."""

import json
import signal
import subprocess
import sys
import urllib.request

import pytest

COMMAND = [sys.executable, "-m", "headgate.testing.serve"]


@pytest.fixture
def served():
    running = []

    def start(*arguments: str) -> tuple[subprocess.Popen, str]:
        process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True)
        running.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_it_prints_its_url_answers_with_its_label_and_leaves_quietly(served):
    process, url = served("anthropic", "--label", "stand-in")
    body = {"model": "claude-sonnet-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"x-api-key": "any", "anthropic-version": "2026-10-21"}
    asked = urllib.request.Request(f"{url}/v1/messages", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(asked, timeout=5) as reply:
        assert reply.headers["x-headgate-double"] == "stand-in"
        assert "[stand-in]" in json.load(reply)["content"][0]["text"]
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=5)
    assert (process.returncode, rest) == (0, "")


def test_answer_and_models_can_be_given(served):
    _, url = served("ollama", "--model", "mine", "--answer", "hello")
    body = {"model": "mine", "messages": [{"role": "user", "content": "hi"}], "stream": False}
    with urllib.request.urlopen(f"{url}/api/chat", json.dumps(body).encode(), timeout=5) as reply:
        assert json.load(reply)["message"]["content"] == "hello"


def test_a_taken_port_is_an_error_with_a_hint(served):
    _, url = served("lmstudio")
    port = url.rpartition(":")[2]
    second = subprocess.run(
        [*COMMAND, "openai", "--port", port], capture_output=True, text=True, timeout=10, check=False
    )
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr.startswith(f"error: cannot listen on 127.0.0.1:{port}")
    assert "hint: " in second.stderr
