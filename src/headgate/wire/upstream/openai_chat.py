"""OpenAI's Chat Completions as engines speak it: Request → bytes. The way back is in `openai_replies`.

The same dialect has many accents, and a `Profile` describes each. What does not fit it is dropped or said otherwise,
and `adjustments` names it.

It does not know which server it talks to (see `engines.profiles`), nor addresses, keys and time.

Source: OpenAI's API reference; LM Studio's documentation and issue tracker; llama-server b11549 as observed.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from headgate.core.types import Failure, Format, Message, Model, Part, Reply, Request, Text, Tool
from headgate.wire.upstream import Headers
from headgate.wire.upstream.openai_profile import ModelRule, Profile
from headgate.wire.upstream.openai_replies import NO_V1, OpenAIStream, decode_reply
from headgate.wire.upstream.schemas import is_closed
from headgate.wire.upstream.tool_ids import ToolIds, matched
from headgate.wire.upstream.trouble import failure_from

ANY_OBJECT = Raw(b'{"type":"object"}')
JSON_PLEASE = "Answer in JSON."
ONE_ANSWER_ONLY = frozenset({"n"})

# ── What we send ─────────────────────────────────────────────────────────────────────────────────────────────────────


class OpenAIChat(Struct, frozen=True):
    """The dialect in one profile's accent."""

    profile: Profile
    path: str = "/chat/completions"

    def encode_request(self, request: Request, model: Model, *, stream: bool) -> bytes | Failure:
        """The request's body. This dialect can say everything that a `Request` can."""
        return msgspec.json.encode(self._body(request, model, stream=stream, notes=[]))

    def adjustments(self, request: Request, model: Model) -> tuple[str, ...]:
        """What of the request is dropped or said otherwise for this model."""
        notes: list[str] = []
        self._body(request, model, stream=request.stream, notes=notes)
        return tuple(notes)

    def decode_reply(self, body: bytes, request: Request, model: Model) -> Reply | Failure:
        """The answer in a body of status 200, which may be an error all the same."""
        return decode_reply(body, request, model, self.profile)

    def stream_decoder(self, request: Request, model: Model) -> OpenAIStream:
        """A reader for a streamed answer."""
        return OpenAIStream(request, model, self.profile)

    def decode_error(self, status: int, headers: Headers, body: bytes) -> Failure:
        """The failure behind an error status."""
        failure = failure_from(status, headers, body)
        if status == 404 and "model" not in failure.detail:
            return msgspec.structs.replace(failure, detail=f"{failure.detail}. {NO_V1}")
        return failure

    def _body(self, request: Request, model: Model, *, stream: bool, notes: list[str]) -> dict[str, Any]:
        profile = self.profile
        rule = profile.rule_for(model.id) if profile.rules else None
        extra = request.extra if request.dialect == "openai" else {}
        body: dict[str, Any] = {**model.settings, **extra} if model.settings or extra else {}
        body["model"] = model.id
        body["messages"] = self._messages(request, (rule and rule.tool_ids) or profile.tool_ids, notes)
        if stream:
            body["stream"] = True
            if profile.stream_usage:
                body["stream_options"] = {"include_usage": True}
            if profile.tells_progress:
                body["return_progress"] = True
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.top_p is not None:
            body["top_p"] = request.top_p
        if request.top_k is not None:
            body["top_k"] = request.top_k
        if request.presence_penalty is not None:
            body["presence_penalty"] = request.presence_penalty
        if request.frequency_penalty is not None:
            body["frequency_penalty"] = request.frequency_penalty
        if request.effort is not None:
            body["reasoning_effort"] = request.effort
        if request.seed is not None:
            body["seed"] = request.seed
        if request.stop:
            body["stop"] = request.stop
        if request.max_tokens is not None:
            body["max_tokens"] = request.max_tokens
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
            if request.tool_choice is not None:
                body["tool_choice"] = request.tool_choice
            if request.parallel_tools is not None:
                body["parallel_tool_calls"] = request.parallel_tools
        if request.format.kind != "text":
            self._ask_for_format(body, request.format, notes)
        if request.logprobs or model.held_to_confidence:
            self._ask_for_logprobs(body, request, notes)
        _rename_limit(body, profile.max_tokens)
        if rule or profile.accepts is not None or extra:
            _drop_rejected(body, model, profile, rule, notes)
        if request.extra and not extra:
            notes.extend(
                f"{name}: dropped, it is no word of OpenAI's protocol" for name in sorted(request.extra)
            )
        return body

    def _messages(self, request: Request, ids: ToolIds, notes: list[str]) -> Raw | list[dict[str, Any]]:
        if request.native and request.raw_messages is not None:
            return request.raw_messages  # no other words could say it
        messages = matched(request.messages, ids)
        if messages is not request.messages:
            notes.append(
                "messages: tool calls and results get ids that this model takes, and each its partner"
            )
        if (
            request.wishes  # else there are plain messages alone
            and not self.profile.developer_role
            and any(message.role == "developer" for message in request.messages)
        ):
            notes.append("developer messages: sent as system messages")
        elif (
            messages is request.messages
            and request.raw_messages is not None
            and request.dialect == "openai"
            and not self._must_say_json(request)
        ):
            return request.raw_messages
        told: list[dict[str, Any]] = []
        shown: list[Part] = []
        for message in messages:
            if shown and message.role != "tool":
                told.append(_pictures(shown))
                shown = []
            told.append(_message(message, self.profile))
            if message.role == "tool" and message.images:
                shown.extend(message.images)
        if shown:
            told.append(_pictures(shown))
        if any(message.role == "tool" and message.images for message in messages):
            notes.append("images of tool results: sent in a message of the user's after them")
        if self._must_say_json(request):
            told.append({"role": "system", "content": JSON_PLEASE})
            notes.append(
                f'messages: "{JSON_PLEASE}" is added, {self.profile.name} gives no JSON without the word'
            )
        return told

    def _must_say_json(self, request: Request) -> bool:
        return (
            self.profile.json_word
            and request.format.kind == "json"
            and not any("json" in message.text.lower() for message in request.messages)
        )

    def _ask_for_format(self, body: dict[str, Any], wanted: Format, notes: list[str]) -> None:
        if wanted.kind == "schema" and wanted.schema is not None:
            body["response_format"] = self._schema(wanted.name, wanted.schema)
        elif self.profile.json_object == "native":
            body["response_format"] = {"type": "json_object"}
        elif self.profile.json_object == "schema":
            body["response_format"] = self._schema(wanted.name, ANY_OBJECT)
            notes.append('response_format: json_object is sent as the schema {"type": "object"}')
        else:
            notes.append("response_format: dropped, this engine has no JSON mode")

    def _schema(self, name: str, schema: Raw) -> dict[str, Any]:
        named: dict[str, Any] = {"name": name, "schema": schema}
        mark = self.profile.strict_schemas
        if mark == "always" or (mark == "when_fit" and is_closed(schema)):
            named["strict"] = True
        return {"type": "json_schema", "json_schema": named}

    def _ask_for_logprobs(self, body: dict[str, Any], request: Request, notes: list[str]) -> None:
        if not self.profile.logprobs:
            if request.logprobs:
                notes.append("logprobs: dropped, this engine does not give them")
            return
        body["logprobs"] = True
        if request.top_logprobs is not None:
            body["top_logprobs"] = request.top_logprobs


def _rename_limit(body: dict[str, Any], word: str) -> None:
    """The limit on the answer under the one word that this model takes, wherever it came from."""
    limit = body.pop("max_tokens", None)
    limit = body.pop("max_completion_tokens", None) if limit is None else limit
    if limit is not None:
        body[word] = limit


def _drop_rejected(
    body: dict[str, Any], model: Model, profile: Profile, rule: ModelRule | None, notes: list[str]
) -> None:
    for field in sorted(ONE_ANSWER_ONLY & body.keys()):
        del body[field]
        notes.append(f"{field}: dropped, one answer is given per request")
    for field in sorted(body.keys() - profile.accepts) if profile.accepts is not None else ():
        del body[field]
        notes.append(f"{field}: dropped, {profile.name} does not take it")
    if rule is None:
        return
    effort = body.get("reasoning_effort")
    calm = effort == "none"
    if calm and rule.least_effort:
        body["reasoning_effort"] = rule.least_effort
        calm = False
        notes.append(
            f'reasoning_effort: "none" is sent as "{rule.least_effort}", {model.id} cannot do without'
        )
    for field in sorted((rule.rejects if calm else rule.rejects | rule.rejects_thinking) & body.keys()):
        del body[field]
        unless = "" if field in rule.rejects or rule.least_effort else ' unless reasoning_effort is "none"'
        notes.append(f"{field}: dropped, {model.id} does not take it{unless}")


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.parameters}
    if tool.description:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _message(message: Message, profile: Profile) -> dict[str, Any]:
    body: dict[str, Any] = {
        "role": "system" if message.role == "developer" and not profile.developer_role else message.role,
        "content": message.text
        if isinstance(message.content, str) or message.role == "tool"
        else [_part(p) for p in message.content],
    }
    if message.reasoning and profile.reasoning:
        body["reasoning_content"] = message.reasoning
    if message.tool_calls:
        body["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        body["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        body["name"] = message.name
    return body


def _pictures(images: list[Part]) -> dict[str, Any]:
    """Images that a tool gave, as the user's: the dialect's tool messages hold text alone."""
    return {"role": "user", "content": [_part(image) for image in images]}


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    return {"type": "image_url", "image_url": {"url": part.url}}
