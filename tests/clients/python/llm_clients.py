"""simonw's `llm`: the command for what a person types, its Python interface for the rest; both read the same YAML."""

import base64
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

HOME = Path(tempfile.mkdtemp())
os.environ["LLM_USER_PATH"] = str(HOME)

import llm  # noqa: E402  # it looks for its folder when it is imported
import openai  # noqa: E402
from pydantic import BaseModel  # noqa: E402
from saying import (  # noqa: E402
    ABORT,
    BROKEN,
    ERRORS,
    IMAGES,
    JOB,
    PLAIN,
    SCHEMA,
    STREAMING,
    TOOLS,
    URL,
    Client,
    has,
    result_of,
    run,
    same,
)

ENTRY = """\
- model_id: {kind}-{model}
  model_name: {model}
  api_base: {url}/v1
  {kind}: true
  supports_schema: true
  supports_tools: true
  vision: true
"""
PROGRAM = Path(sys.executable).parent / "llm"


class Person(BaseModel):
    name: str
    born: int


def weather(city: str, days: int) -> str:
    """The weather in a city."""
    return result_of("weather", {"city": city, "days": days})


class LLM(Client):
    """What `llm` does with a model of extra-openai-models.yaml; a subclass says over which API."""

    package = "llm"
    kind: str

    def _model(self, model):
        return llm.get_model(f"{self.kind}-{model}")

    def plain(self, model):
        response = self._model(model).prompt(PLAIN["ask"], system="Be kind.", stream=False)
        same(response.text(), PLAIN["answer"].format(model=model))
        assert response.usage().output > 0

    def streaming(self, model):
        pieces = list(self._model(model).prompt(STREAMING["ask"]))
        same("".join(pieces), STREAMING["answer"].format(model=model))
        assert len(pieces) > 3, pieces

    def tools(self, model):
        self._talk(model, stream=False)

    def tools_streamed(self, model):
        self._talk(model, stream=True)

    def _talk(self, model, stream):
        for talk in TOOLS["talks"]:
            chain = self._model(model).chain(talk["ask"], tools=[weather], stream=stream)
            first, last = (response.text() for response in chain.responses())
            same(first, TOOLS["first_words"])
            same(last, talk["answer"].format(model=model))

    def schema(self, model):
        text = self._model(model).prompt(SCHEMA["ask"], schema=Person, stream=False).text()
        same(Person.model_validate_json(text), Person(**SCHEMA["answer"]))

    def images(self, model):
        picture = llm.Attachment(content=base64.b64decode(IMAGES["data"]), type=IMAGES["media_type"])
        response = self._model(model).prompt(IMAGES["ask"], attachments=[picture], stream=False)
        same(response.text(), IMAGES["answer"].format(model=model))

    def errors(self, model):
        try:
            self._model(ERRORS["model"]).prompt("x", stream=False).text()
        except openai.NotFoundError as problem:
            same(problem.status_code, 404)
            has(problem.message, ERRORS["message"], ERRORS["hint"])
        else:
            raise AssertionError("an unknown model was no error")

    def broken_stream(self, model):
        self._model(model).prompt(BROKEN["arm"].format(model=model), stream=False).text()
        try:
            self._model(model).prompt(BROKEN["ask"]).text()
        except (openai.APIError, llm.ModelError) as problem:
            has(problem, "broke off")
        else:
            raise AssertionError("a stream that broke looked finished")

    def abort(self, model):
        order = [str(PROGRAM), "-m", f"{self.kind}-{model}", self.counting()]
        counting = subprocess.Popen(order, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert counting.stdout is not None
        same(counting.stdout.read(len(ABORT["first"])).decode(), ABORT["first"])
        while counting.poll() is None:  # like a person: now and then it swallows the first Ctrl-C
            counting.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                counting.wait(timeout=1)
        assert counting.returncode != 0


class Chat(LLM):
    name = "llm, chat"
    kind = "chat"


class Responses(LLM):
    name = "llm, responses"
    kind = "responses"


names = [*JOB["chat"], ERRORS["model"]]
entries = [ENTRY.format(kind=kind, model=model, url=URL) for kind in ("chat", "responses") for model in names]
(HOME / "extra-openai-models.yaml").write_text("".join(entries))
run(Chat, Responses)
