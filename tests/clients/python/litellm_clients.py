"""LiteLLM as a client: the same calls, and a prefix of the model that says which API they are sent over."""

import json

import litellm
import openai
from pydantic import BaseModel
from saying import (
    ABORT,
    BROKEN,
    EMBEDDINGS,
    ERRORS,
    FUNCTION,
    IMAGE_URI,
    IMAGES,
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
    same_vectors,
)


class Person(BaseModel):
    name: str
    born: int


def user(content):
    return [{"role": "user", "content": content}]


class LiteLLM(Client):
    """What LiteLLM does; a subclass says over which API, and with which base URL."""

    package = "litellm"
    prefix: str
    base: str

    def _ask(self, model, content, **more):
        messages = user(content) if isinstance(content, str) else content
        return litellm.completion(
            model=f"{self.prefix}/{model}", messages=messages, api_base=self.base, api_key="unused", **more
        )

    def plain(self, model):
        answer = self._ask(model, PLAIN["ask"])
        same(answer.choices[0].message.content, PLAIN["answer"].format(model=model))
        assert answer.usage.prompt_tokens > 0
        assert answer.usage.completion_tokens > 0

    def streaming(self, model):
        chunks = list(self._ask(model, STREAMING["ask"], stream=True))
        pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]
        same("".join(pieces), STREAMING["answer"].format(model=model))
        assert len(pieces) > 3, pieces

    def tools(self, model):
        for talk in TOOLS["talks"]:
            answer = self._ask(model, talk["ask"], tools=[FUNCTION])
            self._finish(model, talk, answer.choices[0].message)

    def tools_streamed(self, model):
        for talk in TOOLS["talks"]:
            chunks = list(self._ask(model, talk["ask"], tools=[FUNCTION], stream=True))
            self._finish(model, talk, litellm.stream_chunk_builder(chunks).choices[0].message)

    def _finish(self, model, talk, message):
        same(message.content, TOOLS["first_words"])
        same([json.loads(call.function.arguments) for call in message.tool_calls], talk["calls"])
        results = [
            {
                "role": "tool",
                "tool_call_id": call.id,
                "name": call.function.name,
                "content": result_of(call.function.name, json.loads(call.function.arguments)),
            }
            for call in message.tool_calls
        ]
        messages = [*user(talk["ask"]), message.model_dump(exclude_none=True), *results]
        final = self._ask(model, messages, tools=[FUNCTION])
        same(final.choices[0].message.content, talk["answer"].format(model=model))

    def schema(self, model):
        answer = self._ask(model, SCHEMA["ask"], response_format=Person)
        same(Person.model_validate_json(answer.choices[0].message.content), Person(**SCHEMA["answer"]))

    def images(self, model):
        image = {"type": "image_url", "image_url": {"url": IMAGE_URI}}
        answer = self._ask(model, user([{"type": "text", "text": IMAGES["ask"]}, image]))
        same(answer.choices[0].message.content, IMAGES["answer"].format(model=model))

    def errors(self, model):
        try:
            self._ask(ERRORS["model"], "x")
        except litellm.NotFoundError as problem:
            same(problem.status_code, 404)
            has(problem.message.replace('\\"', '"'), ERRORS["message"], ERRORS["hint"])
        else:
            raise AssertionError("an unknown model was no error")

    def broken_stream(self, model):
        self._ask(model, BROKEN["arm"].format(model=model))
        try:
            list(self._ask(model, BROKEN["ask"], stream=True))
        except openai.APIError as problem:  # the mother of all of LiteLLM's
            has(problem, "broke off")
        else:
            raise AssertionError("a stream that broke looked finished")

    def abort(self, model):
        stream = self._ask(model, self.counting(), stream=True)
        for chunk in stream:
            if ABORT["first"] in (chunk.choices[0].delta.content or ""):
                stream.completion_stream.close()
                return
        raise AssertionError("it never counted")


class OpenAI(LiteLLM):
    name = "litellm, openai/"
    prefix = "openai"
    base = f"{URL}/v1"

    def embeddings(self, model):
        answer = litellm.embedding(
            model=f"openai/{model}", input=EMBEDDINGS["texts"], api_base=self.base, api_key="unused"
        )
        same_vectors([item["embedding"] for item in answer.data], model)


class Anthropic(LiteLLM):
    name = "litellm, anthropic/"
    prefix = "anthropic"
    base = URL


class Ollama(LiteLLM):
    name = "litellm, ollama_chat/"
    prefix = "ollama_chat"
    base = URL

    def embeddings(self, model):
        answer = litellm.embedding(model=f"ollama/{model}", input=EMBEDDINGS["texts"], api_base=URL)
        same_vectors([item["embedding"] for item in answer.data], model)


run(OpenAI, Anthropic, Ollama)
