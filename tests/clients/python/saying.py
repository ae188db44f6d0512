"""What every Python script here shares: its job, the questions and their answers, and one line of JSON per feature.

A script is a few classes, one per client; each method named after a feature is run once per model and asserts what came
back. The job comes as JSON in the first argument: the gate's `url`, `chat` and `embedding` models, `vectors` by
embedding model, and `questions`. Nothing here knows any client.
"""

import asyncio
import inspect
import json
import sys
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Any

JOB: dict[str, Any] = json.loads(sys.argv[1])
URL: str = JOB["url"]
ASKS: dict[str, dict[str, Any]] = JOB["questions"]
PLAIN, STREAMING, TOOLS, SCHEMA, IMAGES, EMBEDDINGS, ERRORS, BROKEN, ABORT = map(
    ASKS.__getitem__,
    ("plain", "streaming", "tools", "schema", "images", "embeddings", "errors", "broken", "abort"),
)
FUNCTION = {
    "type": "function",
    "function": {key: TOOLS[key] for key in ("name", "description", "parameters")},
}
"""The tool as OpenAI's and Ollama's chats have it."""
IMAGE_URI = f"data:{IMAGES['media_type']};base64,{IMAGES['data']}"


def result_of(name: str, arguments: dict[str, Any]) -> str:
    """What the tool says to a call, if it is one of those that the models make."""
    same(name, TOOLS["name"])
    assert any(arguments in talk["calls"] for talk in TOOLS["talks"]), f"{arguments} was never called"
    return str(TOOLS["results"][arguments["city"]])


class Client:
    """One client: `name` as the roster has it, `package` as its registry has it, and a method per feature."""

    name: str
    package: str

    def counting(self) -> str:
        """The question whose answer is left in the middle; it names the client, so that the ledger can tell whose it was."""
        return str(ABORT["ask"]).format(client=self.name)


def same(found: Any, wanted: Any) -> None:
    """Equal, or an error that shows both."""
    assert found == wanted, f"{found!r} is not {wanted!r}"


def has(text: Any, *wanted: str) -> None:
    """The text contains all of these, or an error that shows it."""
    for piece in wanted:
        assert piece in str(text), f"{piece!r} is not in {str(text)!r}"


def same_vectors(found: Any, model: str) -> None:
    """The vectors are those of the model behind the gate, as far as float32 goes."""
    wanted = JOB["vectors"][model]
    same(len(found), len(wanted))
    for mine, theirs in zip(found, wanted, strict=True):
        same(len(mine), len(theirs))
        assert all(abs(a - b) < 1e-6 for a, b in zip(mine, theirs, strict=True)), f"{mine} is not {theirs}"


def run(*clients: type[Client]) -> None:
    """Run every feature of every client, once per model, and print a line for each. What clients print goes to stderr."""
    stdout, sys.stdout = sys.stdout, sys.stderr
    for kind in clients:
        client = kind()
        features = [
            name for name, _ in inspect.getmembers(kind, inspect.isfunction) if name not in vars(Client)
        ]
        for feature in (name for name in features if name[0] != "_"):
            for model in JOB["embedding" if feature == "embeddings" else "chat"]:
                problem = attempt(getattr(client, feature), model)
                line = {
                    "client": client.name,
                    "version": version(client.package),
                    "feature": feature,
                    "model": model,
                    "ok": not problem,
                    "detail": problem,
                }
                print(json.dumps(line), file=stdout, flush=True)


def attempt(feature: Any, model: str) -> str:
    """Run one feature; what went wrong, or nothing."""
    try:
        result = feature(model)
        if inspect.iscoroutine(result):
            asyncio.run(result)
    except Exception as problem:  # noqa: BLE001  # whatever it is, it is this feature's answer
        last = traceback.extract_tb(problem.__traceback__)
        script = [frame for frame in last if Path(frame.filename).name == Path(sys.argv[0]).name]
        place = (script or last)[-1]
        return f"{type(problem).__name__}: {problem} (line {place.lineno}: {place.line})"
    return ""
