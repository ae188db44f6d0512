"""pydantic-ai's agents over OpenAI's two APIs and Anthropic's."""

import asyncio
import base64

from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, NativeOutput
from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from saying import (
    ABORT,
    BROKEN,
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
)


class Person(BaseModel):
    name: str
    born: int


class PydanticAI(Client):
    """What an agent does; a subclass says over which API."""

    package = "pydantic-ai-slim"
    native = True
    """Whether it asks for JSON by schema also without a tool; with Anthropic only for models whose names it knows."""

    def _model(self, model):
        raise NotImplementedError

    def _agent(self, model, **more):
        return Agent(self._model(model), **more)

    def _agent_with_tool(self, model):
        agent = self._agent(model)

        @agent.tool_plain
        def weather(city: str, days: int) -> str:
            """The weather in a city."""
            return result_of("weather", {"city": city, "days": days})

        return agent

    async def plain(self, model):
        result = await self._agent(model, instructions="Be kind.").run(PLAIN["ask"])
        same(result.output, PLAIN["answer"].format(model=model))
        assert result.usage.input_tokens > 0
        assert result.usage.output_tokens > 0

    async def streaming(self, model):
        async with self._agent(model).run_stream(STREAMING["ask"]) as result:
            pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
        same("".join(pieces), STREAMING["answer"].format(model=model))
        assert len(pieces) > 3, pieces

    async def tools(self, model):
        for talk in TOOLS["talks"]:
            result = await self._agent_with_tool(model).run(talk["ask"])
            same(result.output, talk["answer"].format(model=model))

    async def tools_streamed(self, model):
        for talk in TOOLS["talks"]:
            async with self._agent_with_tool(model).iter(talk["ask"]) as agent:
                async for node in agent:
                    if Agent.is_model_request_node(node):
                        async with node.stream(agent.ctx) as parts:
                            _ = [part async for part in parts]
            same(agent.result.output, talk["answer"].format(model=model))

    async def schema(self, model):
        wanted = Person(**SCHEMA["answer"])
        by_tool = await self._agent(model, output_type=Person).run(SCHEMA["ask"])
        same(by_tool.output, wanted)
        if not self.native:
            return
        native = await self._agent(model, output_type=NativeOutput(Person)).run(SCHEMA["ask"])
        same(native.output, wanted)

    async def images(self, model):
        image = BinaryContent(base64.b64decode(IMAGES["data"]), media_type=IMAGES["media_type"])
        result = await self._agent(model).run([IMAGES["ask"], image])
        same(result.output, IMAGES["answer"].format(model=model))

    async def errors(self, model):
        try:
            await self._agent(ERRORS["model"]).run("x")
        except ModelHTTPError as problem:
            same((problem.status_code, problem.model_name), (404, ERRORS["model"]))
            has(problem.body, ERRORS["message"], ERRORS["hint"])
        else:
            raise AssertionError("an unknown model was no error")

    async def broken_stream(self, model):
        await self._agent(model).run(BROKEN["arm"].format(model=model))
        try:
            async with self._agent(model).run_stream(BROKEN["ask"]) as result:
                async for _ in result.stream_text(delta=True, debounce_by=None):
                    pass
        except ModelAPIError as problem:
            has(problem, "broke off")
        else:
            raise AssertionError("a stream that broke looked finished")

    async def abort(self, model):
        begun = asyncio.Event()

        async def listen():
            async with self._agent(model).run_stream(self.counting()) as result:
                async for piece in result.stream_text(delta=True, debounce_by=None):
                    if ABORT["first"] in piece:
                        begun.set()

        task = asyncio.create_task(listen())
        task.add_done_callback(lambda _: begun.set())
        await begun.wait()
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return
        raise AssertionError("it counted to the end")


class Chat(PydanticAI):
    name = "pydantic-ai, OpenAI chat"

    def _model(self, model):
        return OpenAIChatModel(model, provider=OpenAIProvider(base_url=f"{URL}/v1", api_key="unused"))


class Responses(PydanticAI):
    name = "pydantic-ai, OpenAI responses"

    def _model(self, model):
        return OpenAIResponsesModel(model, provider=OpenAIProvider(base_url=f"{URL}/v1", api_key="unused"))


class Anthropic(PydanticAI):
    name = "pydantic-ai, Anthropic"
    native = False

    def _model(self, model):
        return AnthropicModel(model, provider=AnthropicProvider(base_url=URL, api_key="unused"))


run(Chat, Responses, Anthropic)
