"""LlamaIndex over OpenAI's API (the packages for servers that are like OpenAI) and over Ollama's."""

import base64

import ollama
import openai
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.ollama import OllamaEmbedding
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.ollama import Ollama
from llama_index.llms.openai_like import OpenAILike
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

FAILURES = (openai.APIError, ollama.ResponseError)
"""What the clients below LlamaIndex raise; it lets them through."""


class Person(BaseModel):
    """A person."""

    name: str
    born: int


def weather(city: str, days: int) -> str:
    """The weather in a city."""
    return result_of("weather", {"city": city, "days": days})


def user(*content):
    return [ChatMessage(role="user", content=list(content) if len(content) > 1 else content[0])]


class LlamaIndex(Client):
    """What LlamaIndex does; a subclass makes the model and knows its errors."""

    tool = FunctionTool.from_defaults(weather)

    def _llm(self, model):
        raise NotImplementedError

    def _is_unknown_model(self, problem):
        raise NotImplementedError

    def plain(self, model):
        same(self._llm(model).chat(user(PLAIN["ask"])).message.content, PLAIN["answer"].format(model=model))
        same(self._llm(model).complete(PLAIN["ask"]).text, PLAIN["answer"].format(model=model))

    def streaming(self, model):
        parts = list(self._llm(model).stream_chat(user(STREAMING["ask"])))
        same(parts[-1].message.content, STREAMING["answer"].format(model=model))
        assert len(parts) > 3, parts

    def tools(self, model):
        llm = self._llm(model)
        for talk in TOOLS["talks"]:
            answer = llm.chat_with_tools([self.tool], user_msg=talk["ask"], allow_parallel_tool_calls=True)
            self._finish(llm, model, talk, answer)

    def tools_streamed(self, model):
        llm = self._llm(model)
        for talk in TOOLS["talks"]:
            *_, answer = llm.stream_chat_with_tools(
                [self.tool], user_msg=talk["ask"], allow_parallel_tool_calls=True
            )
            self._finish(llm, model, talk, answer)

    def _finish(self, llm, model, talk, answer):
        same(answer.message.content, TOOLS["first_words"])
        calls = llm.get_tool_calls_from_response(answer)
        same([call.tool_kwargs for call in calls], talk["calls"])
        results = [
            ChatMessage(
                role="tool",
                content=str(self.tool(**call.tool_kwargs)),
                additional_kwargs={"tool_call_id": call.tool_id, "name": call.tool_name},
            )
            for call in calls
        ]
        history = [*user(talk["ask"]), answer.message, *results]
        final = llm.chat_with_tools([self.tool], chat_history=history)
        same(final.message.content, talk["answer"].format(model=model))

    def schema(self, model):
        found = self._llm(model).as_structured_llm(Person).complete(SCHEMA["ask"])
        same(found.raw, Person(**SCHEMA["answer"]))

    def images(self, model):
        image = ImageBlock(image=base64.b64decode(IMAGES["data"]), image_mimetype=IMAGES["media_type"])
        answer = self._llm(model).chat(user(TextBlock(text=IMAGES["ask"]), image))
        same(answer.message.content, IMAGES["answer"].format(model=model))

    def errors(self, model):
        try:
            self._llm(ERRORS["model"]).complete("x")
        except FAILURES as problem:
            self._is_unknown_model(problem)
        else:
            raise AssertionError("an unknown model was no error")

    def broken_stream(self, model):
        self._llm(model).complete(BROKEN["arm"].format(model=model))
        try:
            list(self._llm(model).stream_chat(user(BROKEN["ask"])))
        except FAILURES as problem:
            has(problem, "broke off")
        else:
            raise AssertionError("a stream that broke looked finished")

    def abort(self, model):
        stream = self._llm(model).stream_chat(user(self.counting()))
        for part in stream:
            if ABORT["first"] in (part.delta or ""):
                stream.close()
                return
        raise AssertionError("it never counted")


class OpenAI(LlamaIndex):
    name = "llama-index, OpenAI-like"
    package = "llama-index-llms-openai-like"

    def _llm(self, model):
        return OpenAILike(
            api_base=f"{URL}/v1",
            api_key="unused",
            model=model,
            is_chat_model=True,
            is_function_calling_model=True,
        )

    def _is_unknown_model(self, problem):
        assert isinstance(problem, openai.NotFoundError), repr(problem)
        has(problem, ERRORS["message"], ERRORS["hint"])

    def embeddings(self, model):
        vectors = OpenAILikeEmbedding(api_base=f"{URL}/v1", api_key="unused", model_name=model)
        same_vectors(vectors.get_text_embedding_batch(EMBEDDINGS["texts"]), model)


class Native(LlamaIndex):
    name = "llama-index, Ollama"
    package = "llama-index-llms-ollama"

    def _llm(self, model):
        return Ollama(base_url=URL, model=model)

    def _is_unknown_model(self, problem):
        assert isinstance(problem, ollama.ResponseError), repr(problem)
        same(problem.status_code, 404)
        has(problem.error, ERRORS["message"], ERRORS["hint"])

    def embeddings(self, model):
        vectors = OllamaEmbedding(base_url=URL, model_name=model)
        same_vectors(vectors.get_text_embedding_batch(EMBEDDINGS["texts"]), model)


run(OpenAI, Native)
