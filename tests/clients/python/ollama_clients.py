"""Ollama's own client: chat, generate, embed, and what it lists."""

import ollama
from pydantic import BaseModel
from saying import (
    ABORT,
    BROKEN,
    EMBEDDINGS,
    ERRORS,
    FUNCTION,
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

client = ollama.Client(host=URL)


class Person(BaseModel):
    name: str
    born: int


def user(text, **more):
    return [{"role": "user", "content": text} | more]


class Native(Client):
    name = "ollama-python"
    package = "ollama"

    def plain(self, model):
        wanted = PLAIN["answer"].format(model=model)
        chatted = client.chat(model, user(PLAIN["ask"]))
        same((chatted.message.content, chatted.done, chatted.done_reason), (wanted, True, "stop"))
        assert chatted.prompt_eval_count > 0
        assert chatted.eval_count > 0
        generated = client.generate(model, PLAIN["ask"], system="Be kind.")
        same((generated.response, generated.done), (wanted, True))

    def streaming(self, model):
        wanted = STREAMING["answer"].format(model=model)
        parts = list(client.chat(model, user(STREAMING["ask"]), stream=True))
        same("".join(part.message.content for part in parts), wanted)
        assert len(parts) > 3, parts
        same((parts[-1].done, parts[-1].done_reason), (True, "stop"))
        assert parts[-1].eval_count > 0
        pieces = list(client.generate(model, STREAMING["ask"], stream=True))
        same("".join(piece.response for piece in pieces), wanted)

    def tools(self, model):
        for talk in TOOLS["talks"]:
            answer = client.chat(model, user(talk["ask"]), tools=[FUNCTION])
            same(answer.message.content, TOOLS["first_words"])
            self._finish(model, talk, [answer.message])

    def tools_streamed(self, model):
        for talk in TOOLS["talks"]:
            parts = list(client.chat(model, user(talk["ask"]), tools=[FUNCTION], stream=True))
            same("".join(part.message.content for part in parts), TOOLS["first_words"])
            self._finish(model, talk, [part.message for part in parts if part.message.tool_calls])

    def _finish(self, model, talk, said):
        calls = [call.function for message in said for call in message.tool_calls]
        same([dict(call.arguments) for call in calls], talk["calls"])
        results = [
            {"role": "tool", "tool_name": call.name, "content": result_of(call.name, dict(call.arguments))}
            for call in calls
        ]
        final = client.chat(model, [*user(talk["ask"]), *said, *results], tools=[FUNCTION])
        same(final.message.content, talk["answer"].format(model=model))

    def schema(self, model):
        answer = client.chat(model, user(SCHEMA["ask"]), format=Person.model_json_schema())
        same(Person.model_validate_json(answer.message.content), Person(**SCHEMA["answer"]))

    def images(self, model):
        answer = client.chat(model, user(IMAGES["ask"], images=[IMAGES["data"]]))
        same(answer.message.content, IMAGES["answer"].format(model=model))

    def embeddings(self, model):
        same_vectors(client.embed(model, EMBEDDINGS["texts"]).embeddings, model)
        same_vectors([client.embeddings(model, text).embedding for text in EMBEDDINGS["texts"]], model)

    def errors(self, model):
        try:
            client.chat(ERRORS["model"], user("x"))
        except ollama.ResponseError as problem:
            same(problem.status_code, 404)
            has(problem.error, ERRORS["message"], ERRORS["hint"])
        else:
            raise AssertionError("an unknown model was no error")
        try:
            client.chat("auto", user("x"), options={"num_predict": "many"})
        except ollama.ResponseError as problem:
            same(problem.status_code, 400)
            has(problem.error, "num_predict")
        else:
            raise AssertionError("a word for num_predict was no error")

    def broken_stream(self, model):
        client.chat(model, user(BROKEN["arm"].format(model=model)))
        try:
            for _ in client.chat(model, user(BROKEN["ask"]), stream=True):
                pass
        except ollama.ResponseError as problem:
            has(problem.error, "broke off")
        else:
            raise AssertionError("a stream that broke looked finished")

    def abort(self, model):
        stream = client.chat(model, user(self.counting()), stream=True)
        for part in stream:
            if ABORT["first"] in part.message.content:
                stream.close()
                return
        raise AssertionError("it never counted")

    def models(self, model):
        names = [entry.model for entry in client.list().models]
        assert any(name.removesuffix(":latest") == model for name in names), names
        assert any(name.removesuffix(":latest") == "auto" for name in names), names
        shown = client.show(model)
        assert "completion" in shown.capabilities, shown
        client.ps()


run(Native)
