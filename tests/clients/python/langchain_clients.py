"""LangChain's packages for OpenAI, Anthropic and Ollama: one set of features, because LangChain gives them one interface."""

from typing import ClassVar

import anthropic
import ollama
import openai
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_ollama import ChatOllama, OllamaEmbeddings
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel
from saying import (
    ABORT,
    BROKEN,
    EMBEDDINGS,
    ERRORS,
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

FAILURES = (openai.APIError, anthropic.APIError, ollama.ResponseError)
"""What the clients below LangChain raise; it lets them through."""


class Person(BaseModel):
    """A person."""

    name: str
    born: int


class weather(BaseModel):  # noqa: N801  # the tool's name is that of the class
    """The weather in a city."""

    city: str
    days: int


def text_of(message):
    return message.text


class LangChain(Client):
    """What every chat model of LangChain does; a subclass makes the model and knows its errors."""

    structured = "json_schema"
    counted: ClassVar[dict] = {}
    """What makes a stream tell its usage."""

    def _llm(self, model, **more):
        raise NotImplementedError

    def _is_unknown_model(self, problem):
        raise NotImplementedError

    def plain(self, model):
        answer = self._llm(model).invoke(PLAIN["ask"])
        same(text_of(answer), PLAIN["answer"].format(model=model))
        assert answer.usage_metadata["input_tokens"] > 0
        assert answer.usage_metadata["output_tokens"] > 0

    def streaming(self, model):
        parts = list(self._llm(model, **self.counted).stream(STREAMING["ask"]))
        same("".join(map(text_of, parts)), STREAMING["answer"].format(model=model))
        assert len(parts) > 3, parts
        assert sum(part.usage_metadata["output_tokens"] for part in parts if part.usage_metadata) > 0

    def tools(self, model):
        llm = self._llm(model).bind_tools([weather])
        for talk in TOOLS["talks"]:
            self._finish(llm, model, talk, llm.invoke(talk["ask"]))

    def tools_streamed(self, model):
        llm = self._llm(model).bind_tools([weather])
        for talk in TOOLS["talks"]:
            first, *rest = llm.stream(talk["ask"])
            self._finish(llm, model, talk, sum(rest, first))

    def _finish(self, llm, model, talk, message):
        same(text_of(message), TOOLS["first_words"])
        same([call["args"] for call in message.tool_calls], talk["calls"])
        results = [
            ToolMessage(result_of(call["name"], call["args"]), tool_call_id=call["id"])
            for call in message.tool_calls
        ]
        final = llm.invoke([HumanMessage(talk["ask"]), message, *results])
        same(text_of(final), talk["answer"].format(model=model))

    def schema(self, model):
        llm = self._llm(model).with_structured_output(Person, method=self.structured)
        same(llm.invoke(SCHEMA["ask"]), Person(**SCHEMA["answer"]))

    def images(self, model):
        image = {"type": "image", "base64": IMAGES["data"], "mime_type": IMAGES["media_type"]}
        parts = [{"type": "text", "text": IMAGES["ask"]}, image]
        same(text_of(self._llm(model).invoke([HumanMessage(parts)])), IMAGES["answer"].format(model=model))

    def errors(self, model):
        try:
            self._llm(ERRORS["model"]).invoke("x")
        except FAILURES as problem:
            self._is_unknown_model(problem)
        else:
            raise AssertionError("an unknown model was no error")

    def broken_stream(self, model):
        self._llm(model).invoke(BROKEN["arm"].format(model=model))
        try:
            for _ in self._llm(model).stream(BROKEN["ask"]):
                pass
        except (*FAILURES, ValueError) as problem:
            has(problem, "broke off")
        else:
            raise AssertionError("a stream that broke looked finished")

    def abort(self, model):
        stream = self._llm(model).stream(self.counting())
        for part in stream:
            if ABORT["first"] in text_of(part):
                stream.close()
                return
        raise AssertionError("it never counted")


class OpenAI(LangChain):
    name = "langchain-openai"
    package = "langchain-openai"
    counted: ClassVar[dict] = {"stream_usage": True}

    def _llm(self, model, **more):
        return ChatOpenAI(base_url=f"{URL}/v1", api_key="unused", model=model, **more)

    def _is_unknown_model(self, problem):
        assert isinstance(problem, openai.NotFoundError), repr(problem)
        has(problem, ERRORS["message"], ERRORS["hint"])

    def embeddings(self, model):
        strings = OpenAIEmbeddings(
            base_url=f"{URL}/v1", api_key="unused", model=model, check_embedding_ctx_length=False
        )
        same_vectors(strings.embed_documents(EMBEDDINGS["texts"]), model)
        same_vectors([strings.embed_query(text) for text in EMBEDDINGS["texts"]], model)
        if (
            model == "nomic"
        ):  # an engine that takes no token ids, which are what LangChain sends unless told otherwise
            tokens = OpenAIEmbeddings(base_url=f"{URL}/v1", api_key="unused", model=model)
            same_vectors(tokens.embed_documents(EMBEDDINGS["texts"]), model)


class OpenAIResponses(LangChain):
    name = "langchain-openai, responses"
    package = "langchain-openai"

    def _llm(self, model, **more):
        return ChatOpenAI(base_url=f"{URL}/v1", api_key="unused", model=model, use_responses_api=True, **more)

    _is_unknown_model = OpenAI._is_unknown_model


class Anthropic(LangChain):
    name = "langchain-anthropic"
    package = "langchain-anthropic"

    def _llm(self, model, **more):
        return ChatAnthropic(base_url=URL, api_key="unused", model=model, max_tokens=2000, **more)

    def _is_unknown_model(self, problem):
        assert isinstance(problem, anthropic.NotFoundError), repr(problem)
        has(problem, ERRORS["message"], ERRORS["hint"])


class Ollama(LangChain):
    name = "langchain-ollama"
    package = "langchain-ollama"

    def _llm(self, model, **more):
        return ChatOllama(base_url=URL, model=model, **more)

    def _is_unknown_model(self, problem):
        assert isinstance(problem, ollama.ResponseError), repr(problem)
        same(problem.status_code, 404)
        has(problem.error, ERRORS["message"], ERRORS["hint"])

    def embeddings(self, model):
        vectors = OllamaEmbeddings(base_url=URL, model=model)
        same_vectors(vectors.embed_documents(EMBEDDINGS["texts"]), model)


run(OpenAI, OpenAIResponses, Anthropic, Ollama)
