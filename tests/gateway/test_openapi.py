"""/openapi.json says what the gate takes. schemathesis goes deeper, where it may be fetched: tests/clients/test_openapi_document.py."""

import json
import subprocess
import sys

import jsonschema_rs
import pytest

from headgate.gateway import openapi, paths

DOCUMENT = openapi.describe()
ASKED = [path for path, methods in DOCUMENT["paths"].items() if "requestBody" in methods.get("post", {})]
TALK = [{"role": "user", "content": "Hi."}]


def form_of(path):
    """A validator of the bodies that a path takes."""
    schema = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]})


def example_of(path):
    media = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    return media["examples"]["short"]["value"]


def test_every_path_and_method_that_is_served_is_described_and_no_other():
    described = {path: {method.upper() for method in methods} for path, methods in DOCUMENT["paths"].items()}
    assert described.pop("/v1/models/{model}") == {"GET", "HEAD"}
    assert described == {path: set(methods) for path, methods in paths.METHODS.items()}


def look_up(document):
    """Follow every reference of a document."""

    def look(value):
        if isinstance(value, dict):
            target = value.get("$ref")
            if isinstance(target, str):
                found = document
                for step in target.removeprefix("#/").split("/"):
                    found = found[step]
            for inner in value.values():
                look(inner)
        elif isinstance(value, list):
            for inner in value:
                look(inner)

    look(document)


def test_every_reference_leads_somewhere():
    look_up(DOCUMENT)
    assert "Wire" not in json.dumps(DOCUMENT)


async def test_a_header_is_described_only_where_the_gate_takes_it(open_bench):
    async with open_bench() as bench:
        described = (await bench.send("GET", "/openapi.json")).json["paths"]
        takers = {path for path, methods in described.items() if "x-headgate-input" in json.dumps(methods)}
        assert takers == {"/v1/embeddings", "/api/embed", "/api/embeddings"}
        body = json.dumps({"input": "I was charged twice."}).encode()
        said = await bench.send("POST", "/v1/agents/triage/runs", body, x_headgate_input="query")
        assert (said.status, said.json["error"]["param"]) == (400, "x-headgate-input")


async def test_the_gate_gives_the_document_and_answers_its_examples(open_bench):
    async with open_bench() as bench:
        said = await bench.send("GET", "/openapi.json")
        services = bench.gate.http.services.all
        assert (said.status, said.json) == (200, json.loads(openapi.document(services)))
        for service in services:
            served = {
                path: {method.lower() for method in methods}
                for path, methods in service.methods.items()
                if not path.startswith("/dash")  # the page itself is for browsers, and no API
            }
            assert {path: set(described) for path, described in service.describe().items()} == served
        look_up(said.json)
        for path in ASKED:
            assert form_of(path).is_valid(example_of(path)), path
            if "embed" in path:  # no model here embeds
                continue
            said = await bench.send("POST", path, json.dumps(example_of(path)).encode())
            assert said.status == 200, path
            answer = DOCUMENT["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]
            assert jsonschema_rs.validator_for(answer["schema"]).is_valid(said.json), path


def result_with(block):
    """A turn with the result of a tool."""
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [block]}]}


WRONG = {
    "a temperature": ("/v1/chat/completions", {"temperature": 2.5}),
    "a role": ("/v1/chat/completions", {"messages": [{"role": "robot", "content": "Hi."}]}),
    "a part": ("/v1/chat/completions", {"messages": [{"role": "user", "content": [{"type": "smell"}]}]}),
    "two answers": ("/v1/chat/completions", {"n": 2}),
    "an empty stop": ("/v1/chat/completions", {"stop": [""]}),
    "a huge limit": ("/v1/chat/completions", {"max_tokens": 2**31}),
    "a huge seed": ("/v1/chat/completions", {"seed": 2**63}),
    "a choice": ("/v1/chat/completions", {"tool_choice": "sometimes"}),
    "a choice of a number": ("/v1/chat/completions", {"tool_choice": {"type": "function", "function": 5}}),
    "one of a few tools without a type": (
        "/v1/chat/completions",
        {
            "tools": [{"type": "function", "function": {"name": "one"}}],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"function": {"name": "one"}}]},
            },
        },
    ),
    "parameters in a list": (
        "/v1/chat/completions",
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
    ),
    "a format without a schema": ("/v1/chat/completions", {"response_format": {"type": "json_schema"}}),
    "a schema that is none": (
        "/v1/chat/completions",
        {"response_format": {"type": "json_schema", "json_schema": {"schema": 5}}},
    ),
    "an item": ("/v1/responses", {"input": [{"type": "web_search_call"}]}),
    "reasoning alone": ("/v1/responses", {"input": [{"type": "reasoning"}]}),
    "a foreign tool": ("/v1/responses", {"tools": [{"type": "web_search", "name": "x"}]}),
    "flat parameters in a list": (
        "/v1/responses",
        {"tools": [{"type": "function", "name": "f", "parameters": []}]},
    ),
    "a flat schema that is none": (
        "/v1/responses",
        {"text": {"format": {"type": "json_schema", "schema": None}}},
    ),
    "nothing to say": ("/v1/responses", {"input": ""}),
    "no model for the empty word": ("/v1/responses/input_tokens", {"model": ""}),
    "many prompts": ("/v1/completions", {"prompt": ["one", "two"]}),
    "no length": ("/v1/messages", {"max_tokens": None}),
    "a hot Anthropic": ("/v1/messages", {"temperature": 1.5}),
    "a call by the user": (
        "/v1/messages",
        {
            "messages": [
                {"role": "user", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": {}}]}
            ]
        },
    ),
    "a block without a type in a tool's result": (
        "/v1/messages",
        {"messages": [result_with({"type": None, "text": "five days"})]},
    ),
    "a text that is none in a tool's result": (
        "/v1/messages",
        {"messages": [result_with({"type": "search_result", "text": 5})]},
    ),
    "a source of a number": (
        "/v1/messages",
        {
            "messages": [
                {"role": "user", "content": [{"type": "document", "source": {"type": 5}}]},
            ]
        },
    ),
    "an input schema in a list": ("/v1/messages", {"tools": [{"name": "f", "input_schema": []}]}),
    "an Anthropic schema that is none": (
        "/v1/messages",
        {"output_config": {"format": {"type": "json_schema", "schema": 5}}},
    ),
    "a choice without a name": ("/v1/messages", {"tool_choice": {"type": "tool"}}),
    "a format": ("/api/chat", {"format": "xml"}),
    "Ollama's parameters in a list, and nothing to say": (
        "/api/chat",
        {"messages": [], "tools": [{"function": {"name": "f", "parameters": []}}]},
    ),
    "no picture": ("/api/generate", {"images": ["aGVsbG8="]}),
    "no picture, and nothing to say": ("/api/generate", {"prompt": "", "images": ["aGVsbG8="]}),
    "a huge limit of Ollama's": ("/api/generate", {"options": {"num_predict": 1e300}}),
    "a mixture": ("/v1/embeddings", {"input": ["one", 2]}),
    "long vectors": ("/v1/embeddings", {"dimensions": 1_000_000}),
    "an empty text among others": ("/api/embed", {"input": ["one", ""]}),
    "a nameless model": ("/api/show", {"model": ""}),
}


@pytest.mark.parametrize("case", WRONG)
async def test_what_the_document_forbids_the_gate_refuses(open_bench, case):
    path, more = WRONG[case]
    body = example_of(path) | more
    assert not form_of(path).is_valid(body)
    async with open_bench() as bench:
        said = await bench.send("POST", path, json.dumps(body).encode())
        assert said.status == 400
        assert "(hint: " in said.body.decode()
        assert not [call for call in bench.ollama.calls if call.method == "POST"]


ODD = {
    "one of a few tools": (
        "/v1/chat/completions",
        {
            "tools": [{"type": "function", "function": {"name": name}} for name in ("one", "two")],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "two"}}],
                },
            },
        },
    ),
    "null for all that may be left out": (
        "/v1/chat/completions",
        dict.fromkeys(("stop", "n", "tools", "tool_choice", "response_format", "temperature", "seed")),
    ),
    "an item without a type": ("/v1/responses", {"input": TALK}),
    "a system message among the turns": (
        "/v1/messages",
        {"messages": [{"role": "system", "content": "Be brief."}, *TALK]},
    ),
    "zero values": (
        "/api/generate",
        {"suffix": "", "template": "", "raw": False, "context": [], "format": ""},
    ),
    "nothing to say": ("/api/chat", {"messages": None}),
    "an older word for the model": ("/api/show", {"model": None, "name": "auto"}),
}


@pytest.mark.parametrize("case", ODD)
async def test_what_the_document_allows_the_gate_takes(open_bench, case):
    path, more = ODD[case]
    body = example_of(path) | more
    assert form_of(path).is_valid(body)
    async with open_bench() as bench:
        assert (await bench.send("POST", path, json.dumps(body).encode())).status == 200


async def test_tools_that_may_not_be_chosen_are_not_offered(open_bench):
    path, more = ODD["one of a few tools"]
    async with open_bench() as bench:
        await bench.send("POST", path, json.dumps(example_of(path) | more).encode())
        asked = next(call for call in bench.ollama.calls if call.path == "/api/chat")
        assert [tool["name"] for tool in asked.tools] == ["two"]


async def test_a_request_without_time_is_late_and_not_wrong(open_bench):
    async with open_bench() as bench:
        said = await bench.ask(headers={"x-headgate-within": "0.000001"})
        assert (said.status, said.json["error"]["code"]) == (504, "no_answer")
        said = await bench.ask(headers={"x-headgate-within": "1_0"})
        assert said.status == 400


async def test_headers_of_a_request_that_only_wants_a_model_loaded_are_read_too(open_bench):
    async with open_bench() as bench:
        body = json.dumps({"model": "auto", "messages": []}).encode()
        assert (await bench.send("POST", "/api/chat", body, x_headgate_task="nothing")).status == 400


def test_the_document_is_not_made_before_somebody_asks():
    code = "import sys, headgate.app; print('headgate.gateway.openapi' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
