"""What goes wrong at Ollama's door is said in Ollama's form, with what to do about it, and breaks nothing."""

import json

import ollama
import pytest

from headgate.testing import Fault

TEXT = "The spring campaign moves to the second week of March. Dana takes over the media plan."
HELLO = [{"role": "user", "content": "What was decided?"}]


async def post(bench, path, **body):
    return await bench.send("POST", path, json.dumps(body).encode())


BAD = {
    "nothing": (b"", 400, "JSON"),
    "half of it": (b'{"model": "auto", "messages": [', 400, "JSON"),
    "a list": (b"[]", 400, "not a JSON object"),
    "no model": ({"model": None}, 400, "model"),
    "an empty model": ({"model": ""}, 400, "model is empty"),
    "an unknown model": ({"model": "lama"}, 404, 'did you mean "llama"?'),
    "a strange role": ({"messages": [{"role": "robot", "content": "x"}]}, 400, "robot"),
    "content in parts": ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, 400, "content"),
    "an option of a wrong type": ({"options": {"temperature": "hot"}}, 400, "options.temperature"),
    "a hot temperature": ({"options": {"temperature": 9}}, 400, "between 0 and 2"),
    "a strange format": ({"format": "xml"}, 400, 'format is "xml"'),
    "a strange level": ({"think": "huge"}, 400, "think is 'huge'"),
    "too many alternatives": ({"top_logprobs": 21}, 400, "between 0 and 20"),
    "no base64": (
        {"messages": [{"role": "user", "images": ["!"]}]},
        400,
        "messages[0].images[0] is not base64",
    ),
    "no picture": (
        {"messages": [{"role": "user", "images": ["aGVsbG8="]}]},
        400,
        "none of PNG, JPEG, GIF and WebP",
    ),
    "arguments as text": (
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]},
        400,
        "messages[0].tool_calls[0].function.arguments is not an object",
    ),
    "a tool without a name": (
        {"tools": [{"type": "function", "function": {}}]},
        400,
        "tools[0].function.name",
    ),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_chat_gets_a_clear_error_and_breaks_nothing(open_bench, case):
    what, status, words = BAD[case]
    body = (
        what if isinstance(what, bytes) else json.dumps({"model": "auto", "messages": HELLO} | what).encode()
    )
    async with open_bench() as bench:
        said = await bench.send("POST", "/api/chat", body)
        assert (said.status, list(said.json)) == (status, ["error"])
        assert words in said.json["error"]
        assert "(hint: " in said.json["error"]
        assert (await post(bench, "/api/chat", model="auto", messages=HELLO)).status == 200


@pytest.mark.parametrize(
    "field",
    [{"suffix": "}"}, {"raw": True}, {"template": "{{ .Prompt }}"}, {"context": [1, 2]}, {"width": 64}],
    ids=lambda field: next(iter(field)),
)
async def test_what_generate_cannot_have_is_refused_and_zero_values_are_not(open_bench, field):
    async with open_bench(local=TEXT) as bench:
        said = await post(bench, "/api/generate", model="auto", prompt="Hello.", **field)
        assert said.status == 400
        assert said.json["error"].startswith(next(iter(field)))
        zero = {name: type(value)() for name, value in field.items()} | {"format": "", "images": []}
        said = await post(bench, "/api/generate", model="auto", prompt="Hello.", stream=False, **zero)
        assert said.json["response"] == TEXT
        said = await post(bench, "/api/generate", model="auto", prompt="Hello.", images=["!"])
        assert said.status == 400


async def test_the_client_raises_with_status_and_hint(open_bench):
    async with open_bench() as bench:
        client = ollama.AsyncClient(host=bench.url)
        with pytest.raises(ollama.ResponseError, match='did you mean "llama"') as caught:
            await client.chat("lama", HELLO)
        assert caught.value.status_code == 404
        bench.ollama.inject(Fault.server_error(), times=5)
        bench.claude.inject(Fault.server_error(), times=5)
        with pytest.raises(ollama.ResponseError, match="hint: ") as caught:
            await client.chat("auto", HELLO)
        assert caught.value.status_code == 503
        parts = await client.chat("auto", HELLO, stream=True)
        with pytest.raises(ollama.ResponseError, match="hint: ") as caught:
            await anext(parts)
        assert caught.value.status_code == 503


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate"])
async def test_a_stream_that_breaks_ends_in_an_error_line_and_is_never_done(open_bench, path):
    async with open_bench(mode="pass", local=TEXT) as bench:
        bench.ollama.inject(Fault.cut_mid_stream(6), times=5)
        said = await post(bench, path, model="llama", messages=HELLO, prompt="What was decided?")
        *parts, last = [json.loads(line) for line in said.body.splitlines()]
        assert said.status == 200
        assert parts
        assert not any(part["done"] for part in parts)
        assert "broke off" in last["error"]
        bench.ollama.inject(Fault.cut_mid_stream(6), times=5)
        with pytest.raises(ollama.ResponseError, match="broke off"):
            [
                part
                async for part in await ollama.AsyncClient(host=bench.url).chat("llama", HELLO, stream=True)
            ]
