"""Anthropic's Messages protocol: what its models take, and Request → bytes. The way back is in `anthropic_replies`.

A `Request` has OpenAI's shape, so much is said otherwise here: system messages become `system`, turns of one role are
merged, tool calls and results become blocks, and a limit on the answer is always sent. What a model or the protocol's
version does not take is dropped or translated, and `adjustments` names it. Unknown fields are forwarded only for callers who
speak this protocol themselves; their own bytes are sent where nothing had to change (`anthropic_splice`).

It does not know keys, addresses and time.

Source: Anthropic's API reference, version 2026-10-21, and the types of its Python client 2.14.
"""

from itertools import pairwise
from typing import Any

import msgspec
from msgspec import Raw, Struct

from headgate.core.types import ORDERS, Failure, Format, Image, Message, Model, Reply, Request, Tool
from headgate.wire.upstream import Headers, has_names, object_from, split_data_uri, unfit_image
from headgate.wire.upstream.anthropic_replies import AnthropicStream, decode_reply
from headgate.wire.upstream.anthropic_splice import (
    CONTINUE,
    can_splice,
    frame,
    has_marks,
    is_own,
    system_with,
)
from headgate.wire.upstream.schemas import close
from headgate.wire.upstream.tool_ids import ToolIds, matched
from headgate.wire.upstream.trouble import failure_from

LATEST = "2026-10-21"
WITH_SAMPLING = "2023-06-01"
"""The last version that takes temperature and top_p."""
DEFAULT_MAX_TOKENS = 4096
ONLY_JSON = "Answer with one JSON object and nothing else: no code fence, no words around it."
PUT_FIRST = f'messages: a user turn "{CONTINUE}" is put first, Anthropic demands one'
PUT_LAST = f'messages: a user turn "{CONTINUE}" is put last, {{}} takes no prefill'
OURS = frozenset({"api_version", "effort", "thinking", "temperature", "top_p", "top_k", "max_tokens"})
"""A model's settings that are read here; any other is sent as it is."""
SHAPED = frozenset({"thinking", "output_config"})
"""Fields of callers who speak this protocol that are held against the model's rule; any other is sent as it is."""


class ModelRule(Struct, frozen=True, kw_only=True):
    """What the models whose ids begin with one of `prefixes` take otherwise than the rest."""

    prefixes: tuple[str, ...]
    sampling: bool = True
    sampling_pair: bool = True
    """temperature and top_p may come together."""
    thinking_off: str = "disabled"
    """The kind of `thinking` that says "none"."""
    thinking_budget: bool = True
    prefill: bool = True
    """The last message may be the assistant's."""
    forced_tool: bool = True
    schema: bool = True
    effort: bool = True


ANY_MODEL = ModelRule(prefixes=("",))
TOOL_IDS = ToolIds(pattern=r"[A-Za-z0-9_-]{1,64}")


class AnthropicMessages(Struct, frozen=True):
    """The dialect, with the rules of its models, in one version."""

    rules: tuple[ModelRule, ...] = ()
    version: str = LATEST
    path: str = "/v1/messages"

    def encode_request(self, request: Request, model: Model, *, stream: bool) -> bytes | Failure:
        """The request's body; a failure for images that are neither base64 `data:` URIs nor https addresses."""
        if any(_image(image) is None for message in request.messages for image in message.images):
            return unfit_image("Anthropic", "as base64 data: URIs or https addresses")
        return msgspec.json.encode(self._draft(request, model, stream=stream).body)

    def adjustments(self, request: Request, model: Model) -> tuple[str, ...]:
        """What of the request is dropped or said otherwise for this model."""
        return tuple(self._draft(request, model, stream=request.stream).notes)

    def decode_reply(self, body: bytes, request: Request, model: Model) -> Reply | Failure:
        """The answer in a body of status 200."""
        return decode_reply(body, request, model)

    def stream_decoder(self, request: Request, model: Model) -> AnthropicStream:
        """A reader for a streamed answer."""
        return AnthropicStream(request, model)

    def decode_error(self, status: int, headers: Headers, body: bytes) -> Failure:
        """The failure behind an error status."""
        return failure_from(status, headers, body)

    def version_for(self, model: Model) -> str:
        """The protocol version to name in the header: the model's own setting, or the engine's."""
        return str(model.settings.get("api_version", self.version))

    def _draft(self, request: Request, model: Model, *, stream: bool) -> "_Draft":
        rule = next((rule for rule in self.rules if model.id.startswith(rule.prefixes)), ANY_MODEL)
        return _Draft(request, model, rule, self.version_for(model), stream=stream)


class _Draft:
    """A body being written, with the notes on what had to be said otherwise."""

    def __init__(
        self, request: Request, model: Model, rule: ModelRule, version: str, *, stream: bool
    ) -> None:
        self._request = request
        self._model = model
        self._rule = rule
        self._orders: list[str] = []  # what has no field here is said in the system prompt
        self.notes: list[str] = []
        settings = model.settings
        self._own = is_own(request)
        self.body: dict[str, Any] = {name: value for name, value in settings.items() if name not in OURS}
        if self._own and request.extra:
            self.body.update((name, value) for name, value in request.extra.items() if name not in SHAPED)
        self.body["model"] = model.id
        self.body["max_tokens"] = (
            request.max_tokens or settings.get("max_tokens") or model.max_output or DEFAULT_MAX_TOKENS
        )
        messages = matched(request.messages, TOOL_IDS)
        self._spliced = can_splice(request, matched=messages is request.messages)
        self.body["messages"] = (
            self._splice(request) if self._spliced else _messages(request, model, rule, self.notes)
        )
        if self._own and not self._spliced and any(message.reasoning for message in messages):
            self.notes.append(
                "thinking in messages: left out, its seal would not hold in a conversation written anew"
            )
        if stream:
            self.body["stream"] = True
        self._sample(version)
        self._stop()
        self._think()
        self._give_tools()
        self._shape()
        self._instruct()
        self._cache()
        self._leave_out()

    def _splice(self, request: Request) -> Raw:
        """The conversation in the caller's own bytes."""
        assert request.raw_messages is not None
        spoken = [message for message in request.messages if message.role not in ORDERS]
        raw, before, after = frame(request.raw_messages, spoken, prefill=self._rule.prefill)
        if before:
            self.notes.append(PUT_FIRST)
        if after:
            self.notes.append(PUT_LAST.format(self._model.id))
        return raw

    def _sample(self, version: str) -> None:
        request, settings, rule = self._request, self._model.settings, self._rule
        temperature = settings.get("temperature") if request.temperature is None else request.temperature
        top_p = settings.get("top_p") if request.top_p is None else request.top_p
        top_k = settings.get("top_k") if request.top_k is None else request.top_k
        asked = {
            name: value
            for name, value in (("temperature", temperature), ("top_p", top_p), ("top_k", top_k))
            if value is not None
        }
        if not rule.sampling:
            self.notes.extend(f"{name}: dropped, {self._model.id} does not take it" for name in asked)
        elif version > WITH_SAMPLING:
            self.notes.extend(
                f"{name}: dropped, version {version} of the protocol does not take it" for name in asked
            )
        else:
            if asked.get("temperature", 0.0) > 1.0:
                asked["temperature"] = 1.0
                self.notes.append("temperature: lowered to 1, the most that Anthropic takes")
            if {"temperature", "top_p"} <= asked.keys() and not rule.sampling_pair:
                del asked["top_p"]
                self.notes.append(f"top_p: dropped, {self._model.id} takes it or temperature, not both")
            self.body.update(asked)

    def _stop(self) -> None:
        stops = [stop for stop in self._request.stop if stop.strip()]
        if stops:
            self.body["stop_sequences"] = stops
        if len(stops) < len(self._request.stop):
            self.notes.append("stop: sequences of white space alone are dropped")

    def _think(self) -> None:
        wanted, model_id = self._wanted_thinking(), self._model.id
        if wanted is None:
            return
        if not isinstance(wanted, dict):
            words = {True: "adaptive", False: "disabled", "none": "disabled"}
            wanted = {"type": words.get(wanted, wanted)}
        kind, off = wanted.get("type"), self._rule.thinking_off
        if kind == "disabled" and off != "disabled":
            wanted = {"type": off}
            self.notes.append(f'thinking: "disabled" is sent as "{off}", {model_id} cannot do without')
        if kind == "enabled" and not self._rule.thinking_budget:
            self.notes.append(f"thinking: dropped, {model_id} takes no budget; set effort instead")
        elif kind == "enabled" and wanted.get("budget_tokens", 0) >= self.body["max_tokens"]:
            self.notes.append("thinking: dropped, its budget is not below max_tokens")
        else:
            self.body["thinking"] = wanted

    def _wanted_thinking(self) -> Any:
        """What is said of thinking: by the caller, else by the model's settings."""
        own = self._request.extra.get("thinking") if self._own else None
        if own is not None:
            return msgspec.json.decode(own)
        if self._request.effort == "none":
            return {"type": "disabled"}
        return self._model.settings.get("thinking")

    def _give_tools(self) -> None:
        request = self._request
        raw = request.raw_tools if self._own else None
        if not request.tools and raw is None:
            return
        self.body["tools"] = raw if raw is not None else [_tool(tool) for tool in request.tools]
        if request.tool_choice is None and request.parallel_tools is not False:
            return
        choice = _tool_choice(msgspec.json.decode(request.tool_choice or b'"auto"'))
        if choice["type"] in ("any", "tool") and not self._rule.forced_tool:
            self._orders.append(
                f'Call the tool "{choice["name"]}".' if "name" in choice else "Call one of the tools."
            )
            self.notes.append(f"tool_choice: stands in the system prompt, {self._model.id} cannot be forced")
            choice = {"type": "auto"}
        if request.parallel_tools is False and choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
        self.body["tool_choice"] = choice

    def _shape(self) -> None:
        own = self._request.extra.get("output_config") if self._own else None
        output: dict[str, Any] = {} if own is None else msgspec.json.decode(own, type=dict[str, Raw])
        effort = self._request.effort
        if effort is None or effort == "none":
            effort = output.get("effort", self._model.settings.get("effort"))
        elif effort == "minimal":
            effort = "low"
            self.notes.append('effort: "minimal" is sent as "low", the least that Anthropic has')
        if effort is not None:
            output["effort"] = effort
        if "effort" in output and not self._rule.effort:
            del output["effort"]
            self.notes.append(f"effort: dropped, {self._model.id} does not take it")
        wanted = self._request.format
        if wanted.kind != "text":
            fitted = close(wanted.schema) if wanted.schema is not None and self._rule.schema else None
            if fitted is not None:
                output["format"] = {"type": "json_schema", "schema": fitted[0]}
                self.notes.extend(f"response_format: {change}, Anthropic demands it" for change in fitted[1])
            else:
                self._ask_for_json(wanted)
        if output:
            self.body["output_config"] = output

    def _ask_for_json(self, wanted: Format) -> None:
        """Say in words what has no field, or does not fit into it."""
        self._orders.append(ONLY_JSON)
        what = "the wish for JSON"
        if wanted.schema is not None:
            self._orders.append(f"It must fit this JSON Schema: {bytes(wanted.schema).decode()}")
            what = "the schema"
        self.notes.append(
            f"response_format: {what} stands in the system prompt, {self._model.id} has no field for it"
        )

    def _instruct(self) -> None:
        if not self._spliced and any(
            message.role in ORDERS and before.role not in ORDERS
            for before, message in pairwise(self._request.messages)
        ):
            self.notes.append("system messages: those within the conversation stand at its beginning")
        if self._spliced:
            whole = system_with(self._request.raw_system, self._orders)
            if whole is not None:
                self.body["system"] = whole
            return
        system = [message.text for message in self._request.messages if message.role in ORDERS]
        if system := [text for text in (*system, *self._orders) if text.strip()]:
            self.body["system"] = "\n\n".join(system)

    def _cache(self) -> None:
        if (
            self._request.cache
            and "cache_control" not in self.body
            and not has_marks(self._request, spliced=self._spliced)
        ):
            self.body["cache_control"] = {"type": "ephemeral"}

    def _leave_out(self) -> None:
        request = self._request
        missing = {
            "seed": request.seed is not None,
            "logprobs": request.logprobs,
            "presence_penalty": request.presence_penalty is not None,
            "frequency_penalty": request.frequency_penalty is not None,
        }
        self.notes.extend(f"{name}: dropped, Anthropic has none" for name, asked in missing.items() if asked)
        if has_names(request.messages):
            self.notes.append("name of messages: dropped, Anthropic has none")
        if not self._own:
            self.notes.extend(
                f"{name}: dropped, it is no word of Anthropic's protocol" for name in sorted(request.extra)
            )


def _tool_choice(choice: Any) -> dict[str, Any]:
    """OpenAI's word or object for a tool choice as Anthropic's object; Anthropic's own is left as it is."""
    if not isinstance(choice, dict):
        return {"type": {"required": "any", "none": "none"}.get(choice, "auto")}
    name = (choice.get("function") or choice).get("name")
    return {"type": "tool", "name": name} if name else {"type": choice.get("type", "auto")}


def _tool(tool: Tool) -> dict[str, Any]:
    anything = bytes(tool.parameters).strip() in (b"", b"{}", b"null")
    body: dict[str, Any] = {
        "name": tool.name,
        "input_schema": Raw(b'{"type":"object"}') if anything else tool.parameters,
    }
    if tool.description:
        body["description"] = tool.description
    if tool.strict:
        body["strict"] = True
    return body


# ── Messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _messages(request: Request, model: Model, rule: ModelRule, notes: list[str]) -> list[dict[str, Any]]:
    """The conversation in turns that alternate, beginning with the user."""
    turns: list[tuple[str, list[dict[str, Any]]]] = []
    messages = matched(request.messages, TOOL_IDS)
    if messages is not request.messages:
        notes.append("messages: tool calls and results get ids that Anthropic takes, and each its partner")
    for message in messages:
        if message.role in ORDERS:
            continue
        role = "assistant" if message.role == "assistant" else "user"
        if not (blocks := _blocks(message)):
            continue
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        else:
            turns.append((role, blocks))
    if not turns or turns[0][0] == "assistant":
        turns.insert(0, ("user", [{"type": "text", "text": CONTINUE}]))
        notes.append(PUT_FIRST)
    if turns[-1][0] == "assistant":
        if not rule.prefill:
            turns.append(("user", [{"type": "text", "text": CONTINUE}]))
            notes.append(PUT_LAST.format(model.id))
        elif (last := turns[-1][1][-1])["type"] == "text":
            last["text"] = last["text"].rstrip() or "…"
    return [
        {
            "role": role,
            "content": blocks[0]["text"] if len(blocks) == 1 and blocks[0]["type"] == "text" else blocks,
        }
        for role, blocks in turns
    ]


def _blocks(message: Message) -> list[dict[str, Any]]:
    if isinstance(message.content, str):
        blocks: list[dict[str, Any]] = (
            [{"type": "text", "text": message.content}] if message.content.strip() else []
        )
    else:
        blocks = []
        for part in message.content:
            if isinstance(part, Image):
                blocks.append({"type": "image", "source": _image(part)})
            elif part.text.strip():
                blocks.append({"type": "text", "text": part.text})
    if message.role == "tool":
        result = {
            "type": "tool_result",
            "tool_use_id": message.tool_call_id,
            "content": blocks,
        }
        return [result]
    for call in message.tool_calls:
        blocks.append(
            {
                "type": "tool_use",
                "id": call.id,
                "name": call.name,
                "input": object_from(call.arguments),
            }
        )
    return blocks


def _image(image: Image) -> dict[str, str] | None:
    if (data := split_data_uri(image.url)) is not None:
        return {"type": "base64", "media_type": data[0], "data": data[1]}
    return {"type": "url", "url": image.url} if image.url.startswith("https://") else None
