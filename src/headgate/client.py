"""An open gate over HTTP, from Python: subagents (`HttpRunner`), embeddings (`HttpEmbedder`) and prompts (`ask`).

Many calls at once share kept connections. A gate that goes away for a moment is asked again: a run that has a key costs nothing
twice, because the gate knows it by its key. What the gate refuses is an error with the gate's own words and hint.

It does not know the config, or how a gate is opened (`cli.runner`, `gate`).
"""

import asyncio
import os
from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from headgate.core.batching import BatchAnswer
from headgate.core.errors import EngineError, HeadgateError, UsageError
from headgate.core.runs import Given, Run
from headgate.engines.connection import Clocks, TransportFailure
from headgate.engines.transport import HttpTransport, Response

CLOCKS = Clocks(connect=10.0, first_byte=6 * 3600.0, between_bytes=120.0, total=6 * 3600.0)
"""The gate bounds its requests itself; a run over a long document takes as many as it has chunks."""

WAITS = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds between the tries at a gate that went away: as long as one takes to be closed and opened again."""

AT_ONCE = 64
"""Connections. More calls wait for one as long as it takes, since a run may take minutes."""

FAULTY = 500
"""The status of a request on which the gate itself failed; of others it says nothing."""

UNKNOWN = "unknown"

KEY_VARIABLE = "HEADGATE_KEY"
"""The environment variable with the key that is shown to gates."""

PLAIN = " !#$&'()*+,/:;=?@[]^_`{|}~"
"""What stands in a header as it is, beside letters and digits; anything else in a caller's name is written as %XX."""


class Answer(Struct, frozen=True, gc=False, kw_only=True):
    """What a model said to a prompt, who it was, and at what price."""

    text: str
    model: str
    """Its name in the config."""
    cost: float | None
    """Dollars of all attempts together; None is unknown."""
    saved: float | None
    """Dollars against the baseline; None is unknown."""
    route: str
    reason: str
    """Why a paid model answered, else why this route."""
    request: str
    """Its id in the ledger, for `headgate log show ID`."""
    perfect: bool = True
    """False: no answer passed its checks, and this is the best there was."""
    tokens_in: int = 0
    tokens_out: int = 0

    def __str__(self) -> str:
        return self.text


class OpenAIFault(Struct, frozen=True):
    """The inside of an error in OpenAI's form, as the gate sends it."""

    message: str = ""
    hint: str = ""


class Refusal(Struct, frozen=True):
    """An error in OpenAI's form."""

    error: OpenAIFault


class WireMessage(Struct, frozen=True):
    """What a model said."""

    content: str | None = None


class WireChoice(Struct, frozen=True):
    """The one choice of an answer."""

    message: WireMessage


class WireUsage(Struct, frozen=True):
    """Tokens of an answer."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class WireAnswer(Struct, frozen=True):
    """A chat completion, as far as it is looked at."""

    choices: list[WireChoice]
    usage: WireUsage = WireUsage()


class WireVector(Struct, frozen=True):
    """A vector as base64 of little-endian float32."""

    embedding: str


class WireVectors(Struct, frozen=True):
    """The answer to texts."""

    data: list[WireVector]
    model: str = ""


class Connections:
    """The connections to one open gate.

    Args:
        url: the gate's address, "http://127.0.0.1:4141".
        key: shown to the gate; "" is the one in the environment variable HEADGATE_KEY, if there is one.

    Raises:
        UsageError: it is no address.
    """

    def __init__(self, url: str, key: str = "") -> None:
        key = key or os.environ.get(KEY_VARIABLE, "")
        self._key = {"authorization": f"Bearer {key}"} if key else {}
        self.url = url.rstrip("/").removesuffix("/v1")
        self._room = asyncio.Semaphore(AT_ONCE)
        try:
            self._transport = HttpTransport(self.url, max_connections=AT_ONCE)
        except ValueError as error:
            raise UsageError(str(error), 'write url="http://127.0.0.1:4141"') from error

    async def post(
        self, path: str, value: Any, headers: Mapping[str, str] = {}, *, again: bool = False
    ) -> Response:
        """Send a value as JSON.

        Args:
            path: where to.
            value: what.
            headers: beside the usual ones.
            again: sent twice it counts once, so it is sent again even where the gate may have begun it.

        Raises:
            UsageError: the gate refuses what was asked.
            EngineError: the gate does not answer, or no model could.
            HeadgateError: the gate failed on it.
        """
        try:
            body = msgspec.json.encode(value)
        except (TypeError, UnicodeEncodeError) as error:
            raise UsageError(
                f"it cannot be sent as JSON: {error}", "give texts, numbers, lists and dictionaries of them"
            ) from error
        lines = (("content-type", "application/json"), *self._key.items(), *headers.items())
        for wait in (*WAITS, None):
            async with self._room:
                reply = await self._transport.request("POST", path, headers=lines, body=body, clocks=CLOCKS)
            if isinstance(reply, Response):
                if reply.status < 400:
                    return reply
                raise refused(reply)
            never_begun = reply.kind == "refused" and reply.retryable
            if wait is None or not (never_begun or (again and reply.kind == "broken")):
                raise self.gone(reply)
            await asyncio.sleep(wait)
        raise AssertionError("the last try ends in an answer or an error")

    def gone(self, failure: TransportFailure) -> EngineError:
        """The error of a gate that does not answer."""
        return EngineError(
            f"the gate at {self.url} does not answer: {failure.detail}",
            "headgate up opens it; headgate doctor says what is wrong",
        )

    async def close(self) -> None:
        """Close the connections; calls under way fail."""
        await self._transport.close()


def refused(reply: Response) -> HeadgateError:
    """An error of the gate, in its own words."""
    try:
        said = msgspec.json.decode(reply.body, type=Refusal).error
    except msgspec.MsgspecError:
        said = OpenAIFault(f"the gate answered with status {reply.status} and no reason")
    message = said.message.removesuffix(f" (hint: {said.hint})")
    if reply.status == FAULTY:
        return HeadgateError(message, said.hint)
    kind = UsageError if reply.status < 500 and reply.status != 429 else EngineError
    return kind(message, said.hint)


def caller_lines(caller: str, *, batch: bool) -> dict[str, str]:
    """The headers that say whose request it is, and that nobody sits and waits for it."""
    lines = {"x-headgate-caller": quote(caller, safe=PLAIN)} if caller else {}
    return lines | ({"x-headgate-priority": "batch"} if batch else {})


class Caller:
    """Somebody who calls an open gate. Use it as a context manager, or close it.

    Args:
        gate: its address, or connections to it, which are then not closed with the caller.
        key: shown to the gate at that address.
    """

    def __init__(self, gate: str | Connections, key: str = "") -> None:
        self._own = isinstance(gate, str)
        self._gate = Connections(gate, key) if isinstance(gate, str) else gate

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        if self._own:
            await self._gate.close()


class HttpRunner(Caller):
    """A `Runner` (`core.runs`) in an open gate."""

    async def run(
        self,
        agent: str,
        given: Given,
        *,
        batch: bool = False,
        pay: bool = True,
        key: str = "",
        caller: str = "",
        model: str | None = None,
    ) -> Run:
        """Give one input to a subagent: see `Runner.run`.

        Raises:
            UsageError: there is no such subagent or model, or the input lacks a field.
            EngineError: the gate does not answer. It says nothing of the input: it may be given again, with the same key.
            HeadgateError: the gate failed on this input.
        """
        if not isinstance(given, str | Mapping):
            raise UsageError(
                f"an input is a text or named fields, not {type(given).__name__}",
                "decode bytes first, or write {'name': value}",
            )
        value = {"input": given, "pay": pay, "key": key, "model": model}
        reply = await self._gate.post(
            f"/v1/agents/{quote(agent, safe='')}/runs",
            {name: what for name, what in value.items() if what is not None},
            caller_lines(caller, batch=batch),
            again=bool(key),
        )
        return decode(reply, Run)

    async def settle(
        self,
        agent: str,
        given: Given,
        *,
        model: str,
        answer: BatchAnswer,
        job: str,
        submitted: float,
        caller: str,
    ) -> Run:
        """Give the gate what a provider's batch has answered: see `Settler.settle`.

        Raises:
            UsageError: there is no such subagent or model, or the input lacks a field.
            EngineError: the gate does not answer. It may be given the answer again.
        """
        value = {"input": given, "model": model, "answer": answer, "job": job, "submitted": submitted}
        path = f"/v1/agents/{quote(agent, safe='')}/answers"
        reply = await self._gate.post(path, value, caller_lines(caller, batch=True), again=True)
        return decode(reply, Run)


class HttpEmbedder(Caller):
    """An `Embedder` (`core.runs`) in an open gate.

    Args:
        gate: as of a `Caller`.
        model: whose vectors they are.
        key: likewise.
    """

    def __init__(self, gate: str | Connections, model: str, key: str = "") -> None:
        super().__init__(gate, key)
        self._model = model

    @property
    def model(self) -> str:
        """The name of the model whose vectors they are."""
        return self._model

    async def embed(self, texts: Sequence[str], *, query: bool = False, batch: bool = False) -> list[bytes]:
        """One vector per text: see `Embedder.embed`."""
        value = {"model": self._model, "input": list(texts), "encoding_format": "base64"}
        value["input_type"] = "query" if query else "document"
        reply = await self._gate.post("/v1/embeddings", value, caller_lines("", batch=batch), again=True)
        return [a2b_base64(one.embedding) for one in decode(reply, WireVectors).data]


async def ask(gate: Connections, request: Mapping[str, Any], headers: Mapping[str, str] = {}) -> Answer:
    """A chat request in OpenAI's words, answered.

    Raises:
        UsageError: the gate refuses what was asked.
        EngineError: the gate does not answer, or no model could.
    """
    reply = await gate.post("/v1/chat/completions", request, headers)
    said = decode(reply, WireAnswer)

    def told(name: str) -> str:
        return reply.headers.get(f"x-headgate-{name}") or ""

    return Answer(
        text=said.choices[0].message.content or "",
        model=told("model"),
        cost=money(told("cost")),
        saved=money(told("saved")),
        route=told("route"),
        reason=told("reason"),
        request=told("request-id"),
        perfect=told("status") != "imperfect",
        tokens_in=said.usage.prompt_tokens,
        tokens_out=said.usage.completion_tokens,
    )


def money(word: str) -> float | None:
    """Dollars of a header; None is unknown."""
    return None if word in ("", UNKNOWN) else float(word)


Form = TypeVar("Form")


def decode(reply: Response, form: type[Form]) -> Form:
    """The value of an answer.

    Raises:
        EngineError: it is none of Headgate's.
    """
    try:
        return msgspec.json.decode(reply.body, type=form)
    except msgspec.MsgspecError as error:
        raise EngineError(
            f"what answers there is not this version of Headgate: {error}", "headgate --version on both sides"
        ) from error
