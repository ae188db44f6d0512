"""A double of the Anthropic Messages API: `/v1/messages`, `…/count_tokens`, `…/batches`, `/v1/models`.

It refuses what the real service refuses (see `anthropic_rules`), so an adapter that sends a wrong request fails here too.
Files and server tools are not played. Prompt caching is reported only as far as `Answer.cached_tokens` says.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from headgate.testing.answers import (
    Answer,
    Answering,
    ServedModel,
    count_prompt,
    limited,
    output_tokens,
    pieces,
)
from headgate.testing.anthropic_batches import BATCHES, AnthropicBatches
from headgate.testing.anthropic_rules import Problem, invalid, key_problem, problem_with, version_problem
from headgate.testing.batch_play import BatchPlay
from headgate.testing.calls import ReceivedCall
from headgate.testing.double import Double
from headgate.testing.faults import Fault, FaultKind
from headgate.testing.replies import JSON, Plain, Reply, Stream, encode

MESSAGES, COUNT, MODELS = "/v1/messages", "/v1/messages/count_tokens", "/v1/models"
EVENT_STREAM = "text/event-stream; charset=utf-8"

_REFUSED = {
    FaultKind.OVERLOADED: Problem(529, "overloaded_error", "Overloaded"),
    FaultKind.SERVER_ERROR: Problem(500, "api_error", "Internal server error"),
    FaultKind.AUTH_FAILED: Problem(401, "authentication_error", "invalid x-api-key"),
    FaultKind.STATUS_200_ERROR_BODY: Problem(200, "api_error", "Internal server error"),
    FaultKind.RATE_LIMITED: Problem(
        429,
        "rate_limit_error",
        "This request would exceed your organization's rate limit of 50 requests per minute.",
    ),
    FaultKind.QUOTA_EXHAUSTED: Problem(
        429,
        "rate_limit_error",
        "You have reached your specified API usage limits. You will regain access next month.",
    ),
}


class AnthropicDouble(Double):
    """Claude as a stand-in. `keys` are the accepted keys; None (the default) accepts any that is not empty."""

    name: ClassVar[str] = "anthropic"
    work_paths: ClassVar[frozenset[str]] = frozenset({MESSAGES, COUNT})
    refusals: ClassVar[frozenset[FaultKind]] = frozenset(
        {*_REFUSED, FaultKind.CONTEXT_OVERFLOW, FaultKind.INVALID_REQUEST}
    )

    def __init__(
        self,
        models: Mapping[str, ServedModel] | Iterable[str] | None = None,
        answer: Answering | None = None,
        *,
        keys: Iterable[str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        label: str | None = None,
        remember: int = 10_000,
    ) -> None:
        super().__init__(models, answer, host=host, port=port, label=label, remember=remember)
        self._keys = None if keys is None else frozenset(keys)
        self._count = 0
        self.play = BatchPlay()
        """How batches go."""
        self.batches = AnthropicBatches(self.play, self._answer_one, lambda: self.url)

    @classmethod
    def default_models(cls) -> dict[str, ServedModel]:
        """One large and one small model of the day, and one that still takes a temperature."""
        big = ServedModel(context=1_000_000, thinking=True, vision=True, output=128_000)
        return {
            "claude-sonnet-5-5": big,
            "claude-haiku-5-5": big,
            "claude-sonnet-4-5": replace(big, output=64_000),
        }

    def reply(self, call: ReceivedCall, fault: Fault | None) -> Reply:
        """Route the call; what no rule and no fault refuses is answered."""
        self._count += 1
        if fault and fault.kind in self.refusals:
            return self._refusal(call, fault)
        if call.path == MODELS and call.method == "GET":
            problem = key_problem(call, self._keys) or version_problem(call)
            return self._error(problem) if problem else self._model_list()
        if call.path.startswith(BATCHES):
            refused = key_problem(call, self._keys) or version_problem(call)
            said = refused or self.batches.reply(call)
            return self._error(said) if isinstance(said, Problem) else said
        if call.path not in {MESSAGES, COUNT}:
            return self._error(Problem(404, "not_found_error", "Not Found"))
        if call.method != "POST":
            return self._error(Problem(405, "invalid_request_error", "Method Not Allowed"))
        return self._answer(call, fault)

    def _answer_one(self, call: ReceivedCall) -> Plain:
        """What the live door says to a request of a batch."""
        self._count += 1
        reply = self._answer(call, None)
        return reply if isinstance(reply, Plain) else self._error(invalid("stream: not in a batch"))

    def _answer(self, call: ReceivedCall, fault: Fault | None) -> Reply:
        """What a model says to a call, or why none does."""
        outputs = {name: model.output for name, model in self.models.items()}
        problem = problem_with(call, models=outputs, keys=self._keys)
        if problem:
            return self._error(problem)
        prompt = count_prompt(call)
        window = self.models[call.model].context
        if prompt > window:
            return self._error(invalid(f"prompt is too long: {prompt} tokens > {window} maximum"))
        if call.path == COUNT:
            return Plain(encode({"input_tokens": prompt}), headers=self._ids())
        answer = self.answer_to(call, fault)
        answer = limited(answer, call.fields["max_tokens"], call.fields.get("stop_sequences"))
        model = fault.text if fault and fault.kind is FaultKind.WRONG_MODEL else call.model
        given = prompt if answer.input_tokens is None else answer.input_tokens
        if call.fields.get("stream") is True:
            return self._stream(model, answer, given)
        return self._message(model, answer, given)

    # shapes

    def _message(self, model: str, answer: Answer, given: int) -> Plain:
        usage = self._usage(answer, given) | {
            "output_tokens": output_tokens(answer),
            "service_tier": "standard",
        }
        body = self._envelope(model) | {
            "content": self._blocks(answer),
            "stop_reason": _stop_reason(answer),
            "stop_sequence": answer.stopped_by,
            "usage": usage,
        }
        return Plain(encode(body), headers=self._ids(), delay=answer.delay)

    def _stream(self, model: str, answer: Answer, given: int) -> Stream:
        start = self._envelope(model) | {
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": self._usage(answer, given) | {"output_tokens": 1, "service_tier": "standard"},
        }
        content: list[bytes] = []
        for index, block in enumerate(self._blocks(answer)):
            content += _block_events(index, block)
        first = content.pop(0) if content else b""
        ending = {
            "type": "message_delta",
            "delta": {"stop_reason": _stop_reason(answer), "stop_sequence": answer.stopped_by},
            "usage": {"output_tokens": output_tokens(answer)},
        }
        opening = (event({"type": "message_start", "message": start}), first, event({"type": "ping"}))
        last = content.pop() if content else b""
        return Stream(
            opening=tuple(filter(None, opening)),
            content=tuple(content),
            closing=tuple(filter(None, (last, event(ending), event({"type": "message_stop"})))),
            failure=event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
            content_type=EVENT_STREAM,
            headers=self._ids(),
            delay=answer.delay,
            pace=answer.chunk_delay,
        )

    def _envelope(self, model: str) -> dict[str, Any]:
        return {"model": model, "id": f"msg_{self._count:024d}", "type": "message", "role": "assistant"}

    def _blocks(self, answer: Answer) -> list[dict[str, Any]]:
        blocks: list[dict[str, Any]] = []
        if answer.reasoning:
            blocks.append({"type": "thinking", "thinking": answer.reasoning, "signature": "c2lnbmF0dXJl"})
        if answer.text:
            blocks.append({"type": "text", "text": answer.text})
        for index, call in enumerate(answer.tool_calls):
            tool = {"id": f"toolu_{self._count:020d}{index:02d}", "name": call.name, "input": call.arguments}
            blocks.append({"type": "tool_use"} | tool)
        return blocks

    def _usage(self, answer: Answer, given: int) -> dict[str, Any]:
        """`given` tokens of prompt, of which the cached ones are *not* in `input_tokens`."""
        return {
            "input_tokens": max(given - answer.cached_tokens, 0),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": answer.cached_tokens,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        }

    def _model_list(self) -> Plain:
        data = [
            {
                "type": "model",
                "id": name,
                "display_name": name,
                "created_at": "2026-09-29T00:00:00Z",
                "capabilities": {
                    "batch": {"supported": True},
                    "image_input": {"supported": model.vision},
                    "structured_outputs": {"supported": True},
                    "thinking": {"supported": model.thinking},
                },
                "lifecycle": "active",
                "retires_at": None,
                "max_input_tokens": model.context,
                "max_tokens": model.output,
            }
            for name, model in self.models.items()
        ]
        ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
        return Plain(encode({"data": data, "has_more": False} | ends), headers=self._ids())

    # errors

    def _refusal(self, call: ReceivedCall, fault: Fault) -> Plain:
        if fault.kind is FaultKind.CONTEXT_OVERFLOW:
            model = self.models.get(call.model)
            window = model.context if model else 200_000
            return self._error(
                invalid(f"prompt is too long: {window + count_prompt(call)} tokens > {window} maximum")
            )
        if fault.kind is FaultKind.INVALID_REQUEST:
            return self._error(invalid(f"{fault.text}: Extra inputs are not permitted"))
        problem = _REFUSED[fault.kind]
        if fault.kind is FaultKind.QUOTA_EXHAUSTED:
            return self._error(problem, details={"error_code": "enforced_spend_limit_reached"})
        if fault.kind is FaultKind.RATE_LIMITED and fault.seconds is not None:
            return self._error(problem, ("retry-after", f"{fault.seconds:g}"))
        return self._error(problem)

    def _error(
        self, problem: Problem, *headers: tuple[str, str], details: dict[str, Any] | None = None
    ) -> Plain:
        error: dict[str, Any] = {"type": problem.type, "message": problem.message}
        if details is not None:
            error["details"] = details
        body = {"type": "error", "error": error, "request_id": self._ids()[0][1]}
        return Plain(encode(body), problem.status, JSON, (*self._ids(), *headers))

    def _ids(self) -> tuple[tuple[str, str], ...]:
        return (("request-id", f"req_{self._count:024d}"),)


def event(value: dict[str, Any]) -> bytes:
    """A server-sent event named after its own `type`."""
    return b"event: %b\ndata: %b\n\n" % (value["type"].encode(), encode(value))


def _stop_reason(answer: Answer) -> str:
    if answer.stopped_by is not None:
        return "stop_sequence"
    if answer.tool_calls and answer.finish in {"stop", "tool_calls"}:
        return "tool_use"
    return {"length": "max_tokens", "content_filter": "refusal"}.get(answer.finish, "end_turn")


def _block_events(index: int, block: dict[str, Any]) -> list[bytes]:
    """Start, deltas and stop of one content block."""
    match block["type"]:
        case "text":
            empty = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
        case "thinking":
            empty = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case _:
            empty = block | {"input": {}}
            written = ["", *pieces(json.dumps(block["input"]))]
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in written]
    start = {"type": "content_block_start", "index": index, "content_block": empty}
    steps = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    return [event(value) for value in (start, *steps, {"type": "content_block_stop", "index": index})]
