"""Anthropic's own client: Messages, its helper for streams, parsed output, and the counting of tokens."""

import anthropic
from pydantic import BaseModel
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

client = anthropic.Anthropic(base_url=URL, api_key="unused")


TOOL = {
    "name": TOOLS["name"],
    "description": TOOLS["description"],
    "input_schema": TOOLS["parameters"],
}


class Person(BaseModel):
    name: str
    born: int


def user(content):
    return [{"role": "user", "content": content}]


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


class Messages(Client):
    name = "anthropic-python"
    package = "anthropic"

    def plain(self, model):
        answer = client.messages.create(
            model=model, max_tokens=500, system="Be kind.", messages=user(PLAIN["ask"])
        )
        same(text_of(answer), PLAIN["answer"].format(model=model))
        same((answer.type, answer.role, answer.stop_reason), ("message", "assistant", "end_turn"))
        assert answer.usage.input_tokens > 0
        assert answer.usage.output_tokens > 0
        beta = client.beta.messages.create(
            model=model, max_tokens=500, betas=["some-beta-2026-01-01"], messages=user(PLAIN["ask"])
        )
        same(text_of(beta), PLAIN["answer"].format(model=model))

    def streaming(self, model):
        with client.messages.stream(model=model, max_tokens=500, messages=user(STREAMING["ask"])) as stream:
            pieces = list(stream.text_stream)
            final = stream.get_final_message()
        wanted = STREAMING["answer"].format(model=model)
        same("".join(pieces), wanted)
        same(text_of(final), wanted)
        assert len(pieces) > 3, pieces
        same(final.stop_reason, "end_turn")
        assert final.usage.output_tokens > 0

    def tools(self, model):
        for talk in TOOLS["talks"]:
            answer = client.messages.create(
                model=model, max_tokens=500, messages=user(talk["ask"]), tools=[TOOL]
            )
            self._finish(model, talk, answer)

    def tools_streamed(self, model):
        for talk in TOOLS["talks"]:
            with client.messages.stream(
                model=model, max_tokens=500, messages=user(talk["ask"]), tools=[TOOL]
            ) as stream:
                self._finish(model, talk, stream.get_final_message())

    def _finish(self, model, talk, answer):
        same(answer.stop_reason, "tool_use")
        same(text_of(answer), TOOLS["first_words"])
        calls = [block for block in answer.content if block.type == "tool_use"]
        same([call.input for call in calls], talk["calls"])
        results = [
            {"type": "tool_result", "tool_use_id": call.id, "content": result_of(call.name, call.input)}
            for call in calls
        ]
        turn = {"role": "assistant", "content": answer.content}
        messages = [*user(talk["ask"]), turn, *user(results)]
        final = client.messages.create(model=model, max_tokens=500, messages=messages, tools=[TOOL])
        same(text_of(final), talk["answer"].format(model=model))

    def schema(self, model):
        parsed = client.messages.parse(
            model=model, max_tokens=500, messages=user(SCHEMA["ask"]), output_format=Person
        )
        same(parsed.parsed_output, Person(**SCHEMA["answer"]))

    def images(self, model):
        source = {"type": "base64", "media_type": IMAGES["media_type"], "data": IMAGES["data"]}
        parts = [{"type": "image", "source": source}, {"type": "text", "text": IMAGES["ask"]}]
        answer = client.messages.create(model=model, max_tokens=500, messages=user(parts))
        same(text_of(answer), IMAGES["answer"].format(model=model))

    def errors(self, model):
        try:
            client.messages.create(model=ERRORS["model"], max_tokens=5, messages=user("x"))
        except anthropic.NotFoundError as problem:
            same((problem.status_code, problem.type), (404, "not_found_error"))
            has(problem.message, ERRORS["message"], ERRORS["hint"])
        else:
            raise AssertionError("an unknown model was no error")
        try:
            client.messages.create(model="auto", max_tokens=0, messages=user("x"))
        except anthropic.BadRequestError as problem:
            same((problem.status_code, problem.type), (400, "invalid_request_error"))
            has(problem.message, "max_tokens")
        else:
            raise AssertionError("max_tokens of 0 was no error")

    def broken_stream(self, model):
        client.messages.create(model=model, max_tokens=500, messages=user(BROKEN["arm"].format(model=model)))
        try:
            with client.messages.stream(model=model, max_tokens=500, messages=user(BROKEN["ask"])) as stream:
                stream.until_done()
        except anthropic.APIStatusError as problem:
            has(problem.message, "broke off")
        else:
            raise AssertionError("a stream that broke looked finished")

    def abort(self, model):
        with client.messages.stream(model=model, max_tokens=5000, messages=user(self.counting())) as stream:
            for piece in stream.text_stream:
                if ABORT["first"] in piece:
                    return
        raise AssertionError("it never counted")

    def count_tokens(self, model):
        few = client.messages.count_tokens(model=model, messages=user("Hello."))
        many = client.messages.count_tokens(model=model, messages=user("Hello. " * 50))
        assert 0 < few.input_tokens < 20, few
        assert 50 < many.input_tokens < 300, many

    def models(self, model):
        names = [entry.id for entry in client.models.list()]
        assert {"auto", model} <= set(names), names


run(Messages)
