"""OpenAI's own client: Chat Completions, Responses, the old Completions, and embeddings."""

import json

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

client = openai.OpenAI(base_url=f"{URL}/v1", api_key="unused")


FLAT = {"type": "function", "strict": True} | FUNCTION["function"]
"""The tool as Responses has it."""


class Person(BaseModel):
    name: str
    born: int


def user(text):
    return [{"role": "user", "content": text}]


def refused(ask):
    """An unknown model and a wrong value, as the client raises them."""
    try:
        ask(ERRORS["model"], 0.5)
    except openai.NotFoundError as problem:
        same(problem.status_code, 404)
        same(problem.code, "model_not_found")
        has(problem, ERRORS["message"], ERRORS["hint"])
    else:
        raise AssertionError("an unknown model was no error")
    try:
        ask("auto", 9)
    except openai.BadRequestError as problem:
        same(problem.status_code, 400)
        same(problem.param, "temperature")
        has(problem.message, "temperature")
    else:
        raise AssertionError("a temperature of 9 was no error")


class Chat(Client):
    name = "openai-python, chat"
    package = "openai"

    def plain(self, model):
        answer = client.chat.completions.create(model=model, messages=user(PLAIN["ask"]))
        same(answer.choices[0].message.content, PLAIN["answer"].format(model=model))
        same(answer.choices[0].finish_reason, "stop")
        assert answer.usage.prompt_tokens > 0
        assert answer.usage.completion_tokens > 0

    def streaming(self, model):
        chunks = list(
            client.chat.completions.create(
                model=model,
                messages=user(STREAMING["ask"]),
                stream=True,
                stream_options={"include_usage": True},
            )
        )
        pieces = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
        same("".join(pieces), STREAMING["answer"].format(model=model))
        assert len(pieces) > 3, pieces
        same([c.choices[0].finish_reason for c in chunks if c.choices][-1], "stop")
        assert chunks[-1].usage.completion_tokens > 0

    def tools(self, model):
        for talk in TOOLS["talks"]:
            messages = user(talk["ask"])
            answer = client.chat.completions.create(model=model, messages=messages, tools=[FUNCTION])
            self._finish(model, talk, answer.choices[0])

    def tools_streamed(self, model):
        for talk in TOOLS["talks"]:
            messages = user(talk["ask"])
            with client.chat.completions.stream(model=model, messages=messages, tools=[FUNCTION]) as stream:
                answer = stream.get_final_completion()
            self._finish(model, talk, answer.choices[0])

    def _finish(self, model, talk, choice):
        same(choice.finish_reason, "tool_calls")
        same(choice.message.content, TOOLS["first_words"])
        calls = choice.message.tool_calls
        same([json.loads(call.function.arguments) for call in calls], talk["calls"])
        results = [
            {
                "role": "tool",
                "tool_call_id": call.id,
                "content": result_of(call.function.name, json.loads(call.function.arguments)),
            }
            for call in calls
        ]
        messages = [*user(talk["ask"]), choice.message.model_dump(exclude_none=True), *results]
        final = client.chat.completions.create(model=model, messages=messages, tools=[FUNCTION])
        same(final.choices[0].message.content, talk["answer"].format(model=model))

    def schema(self, model):
        parsed = client.chat.completions.parse(
            model=model, messages=user(SCHEMA["ask"]), response_format=Person
        )
        same(parsed.choices[0].message.parsed, Person(**SCHEMA["answer"]))

    def images(self, model):
        parts = [
            {"type": "text", "text": IMAGES["ask"]},
            {"type": "image_url", "image_url": {"url": IMAGE_URI}},
        ]
        answer = client.chat.completions.create(model=model, messages=user(parts))
        same(answer.choices[0].message.content, IMAGES["answer"].format(model=model))

    def embeddings(self, model):
        packed = client.embeddings.create(model=model, input=EMBEDDINGS["texts"])
        same_vectors([item.embedding for item in packed.data], model)
        plain = client.embeddings.create(model=model, input=EMBEDDINGS["texts"], encoding_format="float")
        same_vectors([item.embedding for item in plain.data], model)
        assert plain.usage.prompt_tokens == 0  # the vectors are known by now, and no model was asked

    def errors(self, model):
        refused(
            lambda model, heat: client.chat.completions.create(
                model=model, messages=user("x"), temperature=heat
            )
        )

    def broken_stream(self, model):
        client.chat.completions.create(model=model, messages=user(BROKEN["arm"].format(model=model)))
        try:
            for _ in client.chat.completions.create(model=model, messages=user(BROKEN["ask"]), stream=True):
                pass
        except openai.APIError as problem:
            has(problem.message, "broke off")
        else:
            raise AssertionError("a stream that broke looked finished")

    def abort(self, model):
        with client.chat.completions.create(
            model=model, messages=user(self.counting()), stream=True
        ) as stream:
            for chunk in stream:
                if chunk.choices and ABORT["first"] in (chunk.choices[0].delta.content or ""):
                    return
        raise AssertionError("it never counted")

    def models(self, model):
        names = [entry.id for entry in client.models.list()]
        assert {"auto", model} <= set(names), names


class Responses(Client):
    name = "openai-python, responses"
    package = "openai"

    def plain(self, model):
        answer = client.responses.create(model=model, input=PLAIN["ask"], instructions="Be kind.")
        same(answer.output_text, PLAIN["answer"].format(model=model))
        same(answer.status, "completed")
        assert answer.usage.input_tokens > 0
        assert answer.usage.output_tokens > 0

    def streaming(self, model):
        with client.responses.stream(model=model, input=STREAMING["ask"]) as stream:
            events = list(stream)
            final = stream.get_final_response()
        pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
        wanted = STREAMING["answer"].format(model=model)
        same("".join(pieces), wanted)
        same(final.output_text, wanted)
        assert len(pieces) > 3, pieces
        numbers = [event.sequence_number for event in events if hasattr(event, "sequence_number")]
        same(numbers, sorted(set(numbers)))
        assert final.usage.output_tokens > 0

    def tools(self, model):
        for talk in TOOLS["talks"]:
            answer = client.responses.create(model=model, input=talk["ask"], tools=[FLAT])
            self._finish(model, talk, answer)

    def tools_streamed(self, model):
        for talk in TOOLS["talks"]:
            with client.responses.stream(model=model, input=talk["ask"], tools=[FLAT]) as stream:
                events = list(stream)
                answer = stream.get_final_response()
            done = [e.arguments for e in events if e.type == "response.function_call_arguments.done"]
            same([json.loads(arguments) for arguments in done], talk["calls"])
            self._finish(model, talk, answer)

    def _finish(self, model, talk, answer):
        same(answer.output_text, TOOLS["first_words"])
        calls = [item for item in answer.output if item.type == "function_call"]
        same([json.loads(call.arguments) for call in calls], talk["calls"])
        results = [
            {
                "type": "function_call_output",
                "call_id": call.call_id,
                "output": result_of(call.name, json.loads(call.arguments)),
            }
            for call in calls
        ]
        said = [item.model_dump(exclude_none=True) for item in answer.output]
        again = [*user(talk["ask"]), *said, *results]
        final = client.responses.create(model=model, input=again, tools=[FLAT])
        same(final.output_text, talk["answer"].format(model=model))

    def schema(self, model):
        parsed = client.responses.parse(model=model, input=SCHEMA["ask"], text_format=Person)
        same(parsed.output_parsed, Person(**SCHEMA["answer"]))

    def images(self, model):
        parts = [
            {"type": "input_text", "text": IMAGES["ask"]},
            {"type": "input_image", "image_url": IMAGE_URI, "detail": "auto"},
        ]
        answer = client.responses.create(model=model, input=[{"role": "user", "content": parts}])
        same(answer.output_text, IMAGES["answer"].format(model=model))

    def errors(self, model):
        refused(lambda model, heat: client.responses.create(model=model, input="x", temperature=heat))

    def broken_stream(self, model):
        client.responses.create(model=model, input=BROKEN["arm"].format(model=model))
        last = None
        try:
            for event in client.responses.create(model=model, input=BROKEN["ask"], stream=True):
                last = event
        except openai.APIError as problem:
            has(problem.message, "broke off")
            return
        assert last.type in ("error", "response.failed"), f"a stream that broke looked finished: {last}"
        has(last, "broke off")

    def abort(self, model):
        with client.responses.create(model=model, input=self.counting(), stream=True) as stream:
            for event in stream:
                if event.type == "response.output_text.delta" and ABORT["first"] in event.delta:
                    return
        raise AssertionError("it never counted")


class Completions(Client):
    name = "openai-python, completions"
    package = "openai"

    def plain(self, model):
        answer = client.completions.create(model=model, prompt=PLAIN["ask"])
        same(answer.choices[0].text, PLAIN["answer"].format(model=model))
        same(answer.choices[0].finish_reason, "stop")
        assert answer.usage.completion_tokens > 0

    def streaming(self, model):
        chunks = list(client.completions.create(model=model, prompt=STREAMING["ask"], stream=True))
        pieces = [chunk.choices[0].text for chunk in chunks if chunk.choices and chunk.choices[0].text]
        same("".join(pieces), STREAMING["answer"].format(model=model))
        assert len(pieces) > 3, pieces

    def errors(self, model):
        refused(lambda model, heat: client.completions.create(model=model, prompt="x", temperature=heat))

    def broken_stream(self, model):
        client.completions.create(model=model, prompt=BROKEN["arm"].format(model=model))
        try:
            for _ in client.completions.create(model=model, prompt=BROKEN["ask"], stream=True):
                pass
        except openai.APIError as problem:
            has(problem.message, "broke off")
        else:
            raise AssertionError("a stream that broke looked finished")

    def abort(self, model):
        with client.completions.create(model=model, prompt=self.counting(), stream=True) as stream:
            for chunk in stream:
                if chunk.choices and ABORT["first"] in chunk.choices[0].text:
                    return
        raise AssertionError("it never counted")


run(Chat, Responses, Completions)
