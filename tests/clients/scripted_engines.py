"""What the engines behind the gate say: every question of `questions.json`, in whichever dialect it arrives.

An answer is given only to a question that arrived whole: a tool's result is believed if it belongs to the call that was
made, a picture is answered with its digest. What is wrong is said in the answer, where a client's script will show it.
Nothing here knows the gate or the clients.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from headgate.testing import Answer, Double, Fault, ReceivedCall, ToolCall

QUESTIONS: dict[str, Any] = json.loads((Path(__file__).parent / "questions.json").read_text(encoding="utf-8"))

COUNTED = " ".join(["one two three four five six seven eight nine ten,"] * 100)
THOUGHT = "Let me think about it."
STORY = "It was a long story about a lighthouse, a letter and a storm. " * 4

Said = list[tuple[str, str, dict[str, Any]]]
"""A conversation in no dialect: (role, id of the call, name and arguments, or the result) of what concerns tools."""


def answering(model: str, double: Callable[[], Double]) -> Callable[[ReceivedCall], Answer]:
    """The answering function of the double that stands behind the gate's model of this name."""

    def answer(call: ReceivedCall) -> Answer:
        ask = call.prompt
        schema = QUESTIONS["schema"]
        if said := said_about_tools(call):
            return Answer(after_tool(model, said))
        for talk in QUESTIONS["tools"]["talks"]:
            if talk["ask"] in ask:
                return called(call, talk["calls"])
        if schema["ask"] in ask:
            return structured(call)
        if QUESTIONS["images"]["ask"] in ask:
            return Answer(f"{model} got {', '.join(pictures(call)) or 'no picture'}")
        if QUESTIONS["abort"]["ask"].partition(".")[0] in ask:
            return Answer(COUNTED, chunk_delay=0.02)
        if QUESTIONS["broken"]["ask"] in ask:
            return Answer(STORY)
        if ask == QUESTIONS["broken"]["arm"].format(model=model):
            double().inject(Fault.cut_mid_stream(after=20))
            return Answer(QUESTIONS["broken"]["armed"].format(model=model))
        for name in ("plain", "streaming"):
            if QUESTIONS[name]["ask"] in ask:
                return Answer(QUESTIONS[name]["answer"].format(model=model), reasoning=THOUGHT)
        return Answer(f"{model} was not told what to say to: {ask}")

    return answer


def called(call: ReceivedCall, calls: list[dict[str, Any]]) -> Answer:
    """Some words and calls of the tool on offer, if it is described as the client described it."""
    wanted = QUESTIONS["tools"]
    offered = next((tool for tool in call.tools if tool["name"] == wanted["name"]), None)
    if offered is None:
        return Answer(f"no tool called {wanted['name']} is on offer, but {[t['name'] for t in call.tools]}")
    fields = offered["schema"].get("properties", {})
    kinds = {name: field.get("type") for name, field in fields.items()}
    if kinds != {"city": "string", "days": "integer"}:
        return Answer(f"the tool has an odd schema: {json.dumps(offered['schema'])}")
    made = tuple(ToolCall(wanted["name"], arguments) for arguments in calls)
    return Answer(wanted["first_words"], made, reasoning=THOUGHT)


def structured(call: ReceivedCall) -> Answer:
    """The person, as text that fits the schema, or as a call of the tool that stands for it."""
    person = QUESTIONS["schema"]["answer"]
    schema = call.schema if call.schema is not None else call.tools[0]["schema"] if call.tools else {}
    if set(schema.get("properties", {})) != set(person):
        return Answer(f"no schema of a person was asked for, but {json.dumps(schema)}")
    if call.schema is None:
        return Answer(tool_calls=(ToolCall(call.tools[0]["name"], person),))
    return Answer(json.dumps(person))


def after_tool(model: str, said: Said) -> str:
    """What is said once tools have answered: their results in the order of the calls, or what is wrong with the way here."""
    tools = QUESTIONS["tools"]
    made = {key: what for role, key, what in said if role == "call"}
    given = {key: what["text"] for role, key, what in said if role == "result"}
    if set(made) != set(given):
        return f"called were {sorted(made)}, answered were {sorted(given)}"
    for key, what in made.items():
        if (
            what["name"] != tools["name"]
            or given[key].strip('"') != tools["results"][what["arguments"]["city"]]
        ):
            return f"this is not what was said: {what}, {given[key]}"
    calls = [what["arguments"] for what in made.values()]
    talk = next((talk for talk in tools["talks"] if talk["calls"] == calls), None)
    return (
        str(talk["answer"]).format(model=model) if talk else f"other calls came back than were made: {calls}"
    )


def said_about_tools(call: ReceivedCall) -> Said:
    """The calls and results of a conversation, whatever its dialect."""
    said: Said = []
    for message in call.messages:
        for made in message.get("tool_calls") or ():
            function = made["function"]
            given = function["arguments"]
            arguments = json.loads(given) if isinstance(given, str) else given
            key = made.get("id") or function["name"]
            said.append(("call", key, {"name": function["name"], "arguments": arguments}))
        content = message.get("content")
        if message.get("role") == "tool":
            key = message.get("tool_call_id") or unanswered(said, message.get("tool_name"))
            said.append(("result", key, {"text": flat(content)}))
        for block in content if isinstance(content, list) else ():
            if block.get("type") == "tool_use":
                said.append(("call", block["id"], {"name": block["name"], "arguments": block["input"]}))
            if block.get("type") == "tool_result":
                said.append(("result", block["tool_use_id"], {"text": flat(block.get("content"))}))
    return said


def unanswered(said: Said, name: str | None) -> str:
    """The first call without a result, of this tool if it is named: in Ollama's dialect a result needs no more."""
    done = [key for role, key, _ in said if role == "result"]
    open_calls = [(key, what) for role, key, what in said if role == "call" and key not in done]
    return next((key for key, what in open_calls if name in (None, what["name"])), "")


def flat(content: Any) -> str:
    """The text of a message's content."""
    if isinstance(content, list):
        return "".join(block.get("text", "") for block in content)
    return content or ""


def pictures(call: ReceivedCall) -> list[str]:
    """Kind and digest of every picture in a call, whatever its dialect. Ollama's have no kind but their first bytes."""
    found = []
    for message in call.messages:
        found += [("image/png", data) for data in message.get("images") or ()]
        content = message.get("content")
        for block in content if isinstance(content, list) else ():
            if block.get("type") == "image_url":
                kind, _, data = block["image_url"]["url"].removeprefix("data:").partition(";base64,")
                found.append((kind, data))
            if block.get("type") == "image":
                found.append((block["source"]["media_type"], block["source"]["data"]))
    return [f"{kind}, sha256 {hashlib.sha256(base64.b64decode(data)).hexdigest()}" for kind, data in found]
