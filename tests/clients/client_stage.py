"""A real `headgate up` in front of doubles of three engines, and the clients' scripts run against it, each once."""

import hashlib
import json
import os
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from client_environments import environment
from client_roster import Client
from scripted_engines import QUESTIONS, answering

from headgate.core.types import Outcome
from headgate.engines.tokenizer import read_vocabulary
from headgate.ledger.queries import LedgerReader
from headgate.testing import AnthropicDouble, Double, OllamaDouble, OpenAIDouble, ServedModel
from headgate.testing.answers import vector

PATIENCE = 20.0
"""Seconds in which everything that must come has come."""

SCRIPT_ENDS_WITHIN = 240.0

QUIET = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1"}
"""What keeps clients on this machine: LiteLLM fetches a list of prices when it is imported."""

DIMENSIONS = 16
EMBEDDING = ServedModel(kind="embedding", dimensions=DIMENSIONS)
VECTORS = ("nomic", "small")
"""The models that make embeddings, each on another engine."""

PAGE = """
[server]
listen = "127.0.0.1:0"

[engines.ollama]
kind = "ollama"
url = "{llama}"

[engines.openai]
kind = "openai"
url = "{gpt}/v1"
key = "env:TEST_KEY"

[engines.anthropic]
kind = "anthropic"
url = "{claude}"
key = "env:TEST_KEY"

[models.llama]
engine = "ollama"
id = "llama3.1:8b"
context = 8192
capabilities = ["tools", "images", "json", "schema"]

[models.gpt]
engine = "openai"
id = "gpt-4o"
capabilities = ["tools", "images", "json", "schema"]

[models.claude]
engine = "anthropic"
id = "claude-sonnet-5-5"
capabilities = ["tools", "images", "json", "schema"]

[models.nomic]
engine = "ollama"
id = "nomic-embed-text"
kind = "embedding"

[models.small]
engine = "openai"
id = "text-embedding-3-small"
kind = "embedding"

[[routes]]
name = "everything else"
try = ["llama", "gpt", "claude"]

[streaming]
peek_characters = 40

[ledger]
path = "{ledger}"
flush = "20ms"
keep_bodies = true
"""

Line = dict[str, Any]
"""What a script says of one feature with one model."""


@dataclass
class Stage:
    """The gate, the engines behind it, and what the clients said of it so far."""

    url: str
    engines: dict[str, Double]
    """The gate's name of a chat model → the engine that it is on."""
    ledger: Path
    page: Path
    """The gate's config."""
    given: dict[str, str]
    """The gate's environment."""
    lines: dict[str, list[Line]] = field(default_factory=dict)

    def said(self, client: Client, feature: str) -> list[Line]:
        """What a client's script said of a feature, a line per model. The script is run when it is first asked for."""
        if client.script not in self.lines:
            self.lines[client.script] = []  # it is not run again if it fails
            self.lines[client.script] = self.run_script(client)
        return [
            line
            for line in self.lines[client.script]
            if (line["client"], line["feature"]) == (client.name, feature)
        ]

    def run_script(self, client: Client) -> list[Line]:
        """Run a script to its end."""
        texts = QUESTIONS["embeddings"]["texts"]
        job = {
            "url": self.url,
            "chat": list(self.engines),
            "embedding": VECTORS,
            "vectors": {model: [vector(text, DIMENSIONS) for text in texts] for model in VECTORS},
            "questions": QUESTIONS,
        }
        place = environment(client.environment)
        done = subprocess.run(
            [str(place.interpreter), client.script, json.dumps(job)],
            cwd=place.folder,
            env=os.environ | QUIET | {"TIKTOKEN_CACHE_DIR": str(self.ledger.parent)},
            capture_output=True,
            text=True,
            check=False,
            timeout=SCRIPT_ENDS_WITHIN,
        )
        assert done.returncode == 0, f"{client.script} ended with {done.returncode}:\n{done.stderr[-3000:]}"
        return [json.loads(line) for line in done.stdout.splitlines()]

    def problems(self, client: Client, feature: str) -> list[str]:
        """What is wrong with a feature of a client: by its own word, and by what the engines and the ledger saw."""
        lines = self.said(client, feature)
        wanted = VECTORS if feature == "embeddings" else self.engines
        heard = {line["model"] for line in lines}
        found = [f"nothing was said of {model}" for model in wanted if model not in heard]
        found += [f"{line['model']}: {line['detail']}" for line in lines if not line["ok"]]
        if feature == "abort" and not found:
            for model in self.engines:
                status = self.outcome_of(f"This is for {client.name}.", model).status
                found += [] if status == "cancelled" else [f"{model}: the ledger says {status}"]
                until(lambda model=model: self.left_alone(model))
        return found

    def outcome_of(self, words: str, model: str) -> Outcome:
        """The newest row of the ledger whose prompt has these words, by this model, once it is written."""

        def found() -> Outcome | None:
            with LedgerReader(self.ledger) as reader:
                rows = (entry.outcome for entry in reader.newest(limit=500))
                return next((row for row in rows if row.asked == model and words in str(row.prompt)), None)

        return until(found)

    def left_alone(self, model: str) -> bool:
        """Whether the engine has seen every caller leave who left in the middle of an answer."""
        engine = self.engines[model]
        asked = QUESTIONS["abort"]["ask"].partition(".")[0]
        return engine.abandoned == sum(asked in call.prompt for call in engine.calls)


def until(ask: Callable[[], Any]) -> Any:
    """Ask until there is an answer."""
    end = time.monotonic() + PATIENCE
    while not (found := ask()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)
    return found


def put_vocabulary(folder: Path) -> None:
    """Put cl100k_base where tiktoken keeps what it has fetched, so that LangChain can count without the network."""
    tokens = read_vocabulary("cl100k_base")
    lines = [b"%b %d\n" % (b64encode(token), number) for number, token in enumerate(tokens)]
    source = "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"
    (folder / hashlib.sha1(source.encode()).hexdigest()).write_bytes(b"".join(lines))


@contextmanager
def open_stage(home: Path) -> Iterator[Stage]:
    """Open the engines and the gate, whose files are in this folder."""
    with ExitStack() as stack:
        doubles: dict[str, Double] = {}
        doubles["llama"] = OllamaDouble(
            {"llama3.1:8b": ServedModel(vision=True), "nomic-embed-text": EMBEDDING},
            answering("llama", lambda: doubles["llama"]),
        )
        doubles["gpt"] = OpenAIDouble(
            {"gpt-4o": ServedModel(vision=True), "text-embedding-3-small": EMBEDDING},
            answering("gpt", lambda: doubles["gpt"]),
        )
        doubles["claude"] = AnthropicDouble(None, answering("claude", lambda: doubles["claude"]))
        for double in doubles.values():
            stack.enter_context(double.in_thread())
        put_vocabulary(home)
        page = home / "headgate.toml"
        ledger = home / "ledger.db"
        page.write_text(PAGE.format(ledger=ledger, **{name: double.url for name, double in doubles.items()}))
        given = os.environ | {"HEADGATE_DATA": str(home / "data"), "TEST_KEY": "not-a-key"}
        order = [sys.executable, "-m", "headgate", "up", "--json", "--config", str(page)]
        gate = subprocess.Popen(order, stdout=subprocess.PIPE, env=given, text=True)
        assert gate.stdout is not None
        try:
            yield Stage(json.loads(gate.stdout.readline())["url"], doubles, ledger, page, given)
        finally:
            gate.terminate()
            gate.communicate(timeout=PATIENCE)
