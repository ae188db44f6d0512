"""A double of the OpenAI API: `/v1/chat/completions`, `/v1/embeddings`, `/v1/decisions`, `/v1/models`, `/v1/files`, `/v1/batches`.

It also stands for the many servers that copied this API (vLLM, llama-server, hosted ones): `Fault.loading` is llama-server's.
The Responses API is not played.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import msgspec

from headgate.testing.answers import Answering, ServedModel, count_prompt, limited
from headgate.testing.batch_play import BatchPlay
from headgate.testing.calls import ReceivedCall
from headgate.testing.chat_completions import ChatStyle, Exchange, completion, embeddings, sse, stream
from headgate.testing.double import Double
from headgate.testing.faults import Fault, FaultKind
from headgate.testing.openai_batches import OpenAIBatches
from headgate.testing.openai_decisions import Deciding, decisions_body, decisions_problem
from headgate.testing.openai_rules import (
    Problem,
    chat_problem,
    embedding_problem,
    key_problem,
    unsupported_parameter,
    wrong_key,
)
from headgate.testing.replies import JSON, Plain, Reply, encode

CHAT, EMBEDDINGS, MODELS, DECISIONS = "/v1/chat/completions", "/v1/embeddings", "/v1/models", "/v1/decisions"
DECIDE = ("gpt-6-luna",)
"""The models that answer decisions."""

STYLE = ChatStyle(
    fingerprint="fp_headgate00",
    null_refusal=True,
    role_alone=True,
    detailed_usage=True,
    service_tier="default",
    reasoning_field=None,  # OpenAI never shows it; it is only counted
    sse_type="text/event-stream; charset=utf-8",
)

SERVED_AS = frozenset({"flex", "priority"})
"""The tiers that an answer names when they were asked for; "auto" and all others are served as "default"."""

_REFUSED = {
    FaultKind.OVERLOADED: Problem(
        "The server is overloaded or not ready yet.", status=503, type="server_error"
    ),
    FaultKind.SERVER_ERROR: Problem(
        "The server had an error while processing your request. Sorry about that!",
        status=500,
        type="server_error",
    ),
    FaultKind.STATUS_200_ERROR_BODY: Problem(
        "The model failed to generate a response.", status=200, type="server_error"
    ),
    FaultKind.RATE_LIMITED: Problem(
        "Rate limit reached for requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again later.",
        code="rate_limit_exceeded",
        status=429,
        type="requests",
    ),
    FaultKind.QUOTA_EXHAUSTED: Problem(
        "You exceeded your current quota, please check your plan and billing details.",
        code="insufficient_quota",
        status=429,
        type="insufficient_quota",
    ),
}


class OpenAIDouble(Double):
    """OpenAI, or a server that speaks like it. `keys` are the accepted keys; None (the default) accepts any.

    `deciding` says what `/v1/decisions` answers; None tosses a coin.
    """

    name: ClassVar[str] = "openai"
    work_paths: ClassVar[frozenset[str]] = frozenset({CHAT, EMBEDDINGS, DECISIONS})
    asks_for_key: ClassVar[bool] = True
    """The servers that copied the API often do not."""
    takes: ClassVar[frozenset[str]] = frozenset()
    """Fields of a chat that such a server takes beside OpenAI's."""
    refusals: ClassVar[frozenset[FaultKind]] = frozenset(
        {
            *_REFUSED,
            FaultKind.AUTH_FAILED,
            FaultKind.CONTEXT_OVERFLOW,
            FaultKind.INVALID_REQUEST,
            FaultKind.LOADING,
            FaultKind.NO_USAGE,
        }
    )

    def __init__(
        self,
        models: Mapping[str, ServedModel] | Iterable[str] | None = None,
        answer: Answering | None = None,
        *,
        keys: Iterable[str] | None = None,
        deciding: Deciding | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        label: str | None = None,
        remember: int = 10_000,
    ) -> None:
        super().__init__(models, answer, host=host, port=port, label=label, remember=remember)
        self._keys = None if keys is None else frozenset(keys)
        self._count = 0
        self.deciding = deciding
        """What `/v1/decisions` says."""
        self.play = BatchPlay()
        """How batches go."""
        self.batches = OpenAIBatches(self.play, self._answer_line)

    @classmethod
    def default_models(cls) -> dict[str, ServedModel]:
        """Models of each family that has rules of its own, and one for embeddings."""
        chat = ServedModel(context=128_000, vision=True)
        names = ("gpt-4o", "gpt-4o-mini", "gpt-5-mini", "gpt-6", "gpt-6-luna", "o4-mini")
        embedding = ServedModel(kind="embedding", context=8191, dimensions=1536)
        return dict.fromkeys(names, chat) | {"text-embedding-3-small": embedding}

    def reply(self, call: ReceivedCall, fault: Fault | None) -> Reply:
        """Route the call; what no rule and no fault refuses is answered."""
        self._count += 1
        if fault and fault.kind in self.refusals and fault.kind is not FaultKind.NO_USAGE:
            return self._refusal(call, fault)
        problem = key_problem(call, self._keys) if self.asks_for_key else None
        if problem:
            return self._error(problem)
        match call.method, call.path:
            case "POST", "/v1/chat/completions":
                return self._chat(call, fault)
            case "POST", "/v1/embeddings":
                return self._embed(call)
            case "POST", "/v1/decisions":
                return self._decide(call)
            case "GET", "/v1/models":
                return Plain(
                    encode({"object": "list", "data": [self._entry(name) for name in self.models]}),
                    headers=self._ids(),
                )
            case "GET", path if path.removeprefix(MODELS + "/") in self.models:
                return Plain(encode(self._entry(path.removeprefix(MODELS + "/"))), headers=self._ids())
        about_batches = self.batches.reply(call)
        if isinstance(about_batches, Problem):
            return self._error(about_batches)
        if about_batches is not None:
            return about_batches
        return self._error(Problem(f"Invalid URL ({call.method} {call.path})", status=404))

    def _answer_line(self, call: ReceivedCall) -> Plain:
        """What the live door says to a line of a batch."""
        self._count += 1
        reply = self._embed(call) if call.path == EMBEDDINGS else self._chat(call, None)
        if isinstance(reply, Plain) and call.path in (CHAT, EMBEDDINGS):
            return reply
        return self._error(Problem("This cannot be asked in a batch."))

    def _chat(self, call: ReceivedCall, fault: Fault | None) -> Reply:
        body = call.fields
        problem = chat_problem(call, self.takes) or self._model_problem(call, "chat")
        if problem:
            return self._error(problem)
        window, prompt = self.models[call.model].context, count_prompt(call)
        if prompt > window:
            return self._error(overflow(prompt, window))
        most = body.get("max_completion_tokens", body.get("max_tokens"))
        stops = [body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop")
        answer = limited(self.answer_to(call, fault), most, stops)
        model = fault.text if fault and fault.kind is FaultKind.WRONG_MODEL else call.model
        counted = fault is None or fault.kind is not FaultKind.NO_USAGE
        exchange = Exchange(f"chatcmpl-{self._count:029d}", model, call, answer, counted=counted)
        tier = body.get("service_tier")
        style = msgspec.structs.replace(STYLE, service_tier=tier) if tier in SERVED_AS else STYLE
        if body.get("stream") is not True:
            whole = completion(style, exchange)
            return Plain(whole.body, headers=self._ids(), delay=whole.delay)
        return stream(style, exchange, failure=_FAILURE, headers=self._ids())

    def _embed(self, call: ReceivedCall) -> Reply:
        problem = embedding_problem(call) or self._model_problem(call, "embedding")
        if problem:
            return self._error(problem)
        made = embeddings(
            call, call.model, call.fields.get("dimensions") or self.models[call.model].dimensions
        )
        return Plain(made.body, headers=self._ids())

    def _decide(self, call: ReceivedCall) -> Reply:
        problem = decisions_problem(call) or self._model_problem(call, "chat")
        if problem is None and call.model not in DECIDE:
            problem = Problem(f"The model `{call.model}` does not support decisions.", "model", status=404)
        if problem:
            return self._error(problem)
        return Plain(encode(decisions_body(call, self.deciding)), headers=self._ids())

    def _entry(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "system"}

    def _model_problem(self, call: ReceivedCall, kind: str) -> Problem | None:
        model = self.models.get(call.model)
        if model is None:
            text = f"The model `{call.model}` does not exist or you do not have access to it."
            return Problem(text, code="model_not_found", status=404)
        if model.kind != kind:
            if kind == "chat":
                text = "This is not a chat model and thus not supported in the v1/chat/completions endpoint."
                return Problem(text, "model", status=404)
            return Problem("You are not allowed to generate embeddings from this model", status=403)
        return None

    def _refusal(self, call: ReceivedCall, fault: Fault) -> Plain:
        match fault.kind:
            case FaultKind.LOADING:  # llama-server
                error = {"code": 503, "message": "Loading model", "type": "unavailable_error"}
                return Plain(encode({"error": error}), 503, "application/json; charset=utf-8")
            case FaultKind.CONTEXT_OVERFLOW:
                model = self.models.get(call.model)
                window = model.context if model else 8192
                return self._error(overflow(window + count_prompt(call), window))
            case FaultKind.INVALID_REQUEST:
                return self._error(unsupported_parameter(fault.text))
            case FaultKind.AUTH_FAILED:
                return self._error(wrong_key(call.headers.get("authorization", "").removeprefix("Bearer ")))
            case FaultKind.RATE_LIMITED if fault.seconds is not None:
                wait = (
                    ("retry-after", f"{fault.seconds:g}"),
                    ("retry-after-ms", f"{fault.seconds * 1000:.0f}"),
                )
                return self._error(_REFUSED[fault.kind], *wait)
        return self._error(_REFUSED[fault.kind])

    def _error(self, problem: Problem, *headers: tuple[str, str]) -> Plain:
        return Plain(encode(error_body(problem)), problem.status, JSON, (*self._ids(), *headers))

    def _ids(self) -> tuple[tuple[str, str], ...]:
        return (
            ("x-request-id", f"req_{self._count:032x}"),
            ("openai-processing-ms", "1"),
            ("openai-version", "2020-10-01"),
        )


def error_body(problem: Problem) -> dict[str, Any]:
    """OpenAI's envelope for an error."""
    fields = {"message": problem.message, "type": problem.type, "param": problem.param, "code": problem.code}
    return {"error": fields}


def overflow(prompt: int, window: int) -> Problem:
    """The prompt does not fit into the window (both in tokens)."""
    return Problem(
        f"This model's maximum context length is {window} tokens. However, your messages resulted in {prompt} tokens. "
        "Please reduce the length of the messages.",
        "messages",
        "context_length_exceeded",
    )


_FAILURE = sse(error_body(_REFUSED[FaultKind.SERVER_ERROR]))
