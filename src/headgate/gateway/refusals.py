"""Why not: every error that the gate gives to a caller, each with what to do about it."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from urllib.parse import urlsplit

from headgate.core.policy import (
    AGENT,
    AUTO,
    MAKES,
    WISHES,
    Policy,
    asked_task,
    find_embedder,
    find_model,
    is_auto,
)
from headgate.core.templates import Unfit
from headgate.core.types import Failure, GiveUp, Outcome, Request
from headgate.core.words import TASKS
from headgate.fleet.fleet import Fleet
from headgate.wire.faults import Fault

THIS_MACHINE = ("localhost", "127.0.0.1", "::1")

LONGEST_WORD = 100
"""Characters of an unknown word that are looked at and repeated."""

Brought = Callable[[], Iterable[str]]
"""The agents that workers bring and no config names, as they stand behind "agent:": "kb:handbook"."""

CALLERS_FAULT = frozenset({400, 413, 422})
"""Statuses of an engine that mean: the request itself is wrong."""

NEVER_FIT = frozenset({"capability", "format", "window"})


def foreign_page(headers: Mapping[bytes, bytes], *, known: bool = False) -> Fault | None:
    """Refuse web pages of other sites: a browser names the page (`origin`), and any page would spend the user's money.

    Pages that this machine serves are let in, and so are programs with an origin of their own kind (extensions). So are the
    gate's own pages under another name, as long as the caller is `known`: a name can be made to lead here, a key cannot be guessed.
    """
    named = headers.get(b"origin")
    if named is None:
        return None
    try:
        origin = urlsplit(named.decode("latin-1"))
        if origin.hostname in THIS_MACHINE or origin.scheme not in ("http", "https", ""):
            return None
        if known and origin.netloc.encode("latin-1") == headers.get(b"host"):
            return None
    except ValueError:
        pass  # no address, so none of ours
    return Fault(
        status=403,
        message="a web page of another site may not use the gate",
        code="foreign_origin",
        hint="call the gate from a server or from a page on this machine",
    )


def no_http(status: int, problem: str) -> Fault:
    """What came is not a request that can be read."""
    return Fault(status=status, message=problem, code="bad_request", hint="send HTTP/1.1; see docs/api.md")


def too_large(limit: int) -> Fault:
    """The body has more than `limit` bytes."""
    return Fault(
        status=413,
        message=f"the body is larger than {limit // (1024 * 1024)} MB",
        code="request_too_large",
        hint="raise body_limit_mb under [server], or send less",
    )


def compressed(headers: Mapping[bytes, bytes]) -> Fault | None:
    """The body could not be read because it is compressed; no client does that unasked, so it is not undone here."""
    coding = headers.get(b"content-encoding", b"identity").decode("latin-1").strip()
    if coding.lower() in ("", "identity"):
        return None
    return Fault(
        status=415,
        message=f"the body is compressed ({coding[:LONGEST_WORD]}), which is not undone here",
        code="unsupported_content_encoding",
        param="content-encoding",
        hint="send it as it is, without content-encoding",
    )


def unroutable(policy: Policy, request: Request, brought: Brought = tuple) -> Fault | None:
    """Why this request can never be routed: its `model` is a word that we do not know, or nothing can make embeddings."""
    if request.asked == AUTO and request.kind == "chat":
        return None
    if request.asked.startswith(AGENT):
        return (
            unfit_for_agent(policy, request, brought)
            if request.kind == "chat"
            else not_for_texts("model", request.asked)
        )
    if is_auto(request.asked):
        word = request.asked.partition(":")[2]
        if word not in ("", "local") and request.asked not in WISHES and asked_task(request.asked) is None:
            return unknown("task", word, ("local", "cheap", "quality", *TASKS), "model")
        return None if request.kind == "chat" else unembeddable(policy, request)
    model = find_model(policy, request.asked)
    if model is None:
        return no_model(policy, request.asked)
    if model.kind != request.kind:
        return Fault(
            status=400,
            message=f"{model.name}: {MAKES[model.kind]}",
            param="model",
            code="unsupported_value",
            hint=f'ask "{AUTO}", or a model that answers'
            if request.kind == "chat"
            else f'ask "{AUTO}:embedding", or a model with kind = "embedding" in headgate.toml',
        )
    return None


def unfit_for_agent(policy: Policy, request: Request, brought: Brought) -> Fault | None:
    """Why the agent that is asked for cannot take this request."""
    name = request.asked.removeprefix(AGENT)
    if name not in policy.agents and name not in (more := tuple(brought())):
        return unknown("agent", name, (*policy.agents, *more), "model")
    if request.native:
        return Fault(
            status=400,
            message=f"an agent takes text, images and tools, not {' and '.join(request.native)}",
            code="unsupported_value",
            param="model",
            hint=f'ask "{AUTO}" or a model by its name',
        )
    return None


def unfit_input(problem: Unfit) -> Fault:
    """What was said is no input for the agent that is asked."""
    return Fault(
        status=400, message=problem.problem, code="invalid_input", param="messages", hint=problem.hint
    )


def unembeddable(policy: Policy, request: Request) -> Fault | None:
    """Why texts cannot be embedded by "auto" or "auto:<word>"."""
    if asked_task(request.asked) not in (None, "embedding"):
        return not_for_texts("model", request.asked)
    if find_embedder(policy) is not None:
        return None
    return Fault(
        status=400,
        message="no model makes embeddings",
        param="model",
        code="unsupported_request",
        hint='add one with kind = "embedding" to headgate.toml: headgate-embed on the embedded engine, or nomic-embed-text on Ollama',
    )


def not_for_texts(param: str, word: str) -> Fault:
    """A task that is none for texts to embed."""
    return Fault(
        status=400,
        message=f'"{word}" asks for an answer, and texts to embed get none',
        param=param,
        code="unsupported_value",
        hint=f'ask "{AUTO}:embedding", or send it as a chat',
    )


def no_token(number: int) -> Fault:
    """A token id that the vocabulary does not have."""
    return Fault(
        status=400,
        message=f"input has the token id {number}, which cl100k_base does not have",
        param="input",
        code="invalid_value",
        hint="send the texts themselves: ids are those of cl100k_base, without its special tokens",
    )


def no_model(policy: Policy, name: str) -> Fault:
    """No model has that name."""
    return unknown("model", name, (AUTO, *policy.named), "model")


def nameless() -> Fault:
    """A model is asked after, but none is named."""
    return Fault(
        status=400,
        message="model is missing",
        param="model",
        code="missing_required_parameter",
        hint="GET /api/tags lists the models",
    )


def unknown(what: str, word: str, known: tuple[str, ...], param: str) -> Fault:
    """A word that we do not know, with the one that was probably meant."""
    word = word[:LONGEST_WORD]
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return Fault(
        status=404 if what in ("model", "agent") else 400,
        message=f'there is no {what} "{word}"',
        code=f"{what}_not_found",
        param=param,
        hint=f'did you mean "{close[0]}"?' if close else f"one of: {', '.join(known)}",
    )


def budget_spent(outcome: Outcome) -> Fault:
    """There was no money left for the only models that could have answered, or the budget says that then nobody does."""
    return Fault(
        status=429,
        message=outcome.decision.notice,
        kind="insufficient_quota",
        code="insufficient_quota",
        hint="headgate budgets shows what is left; [[budgets]] in headgate.toml says how much there is",
    )


def no_answer(outcome: Outcome, result: GiveUp, fleet: Fleet) -> Fault:
    """No model of the chain gave an answer. Whether that is the request's fault or ours decides the status."""
    if outcome.decision.notice and not outcome.attempts and "budget" in outcome.decision.skipped.values():
        return budget_spent(outcome)
    failures = [attempt.failure for attempt in outcome.attempts if attempt.failure is not None]
    if len(failures) < len(outcome.attempts):
        return Fault(
            status=503,
            message=result.reason,
            kind="api_error",
            code="unfit_answer",
            hint=f"headgate log show {outcome.id} tells what was tried; an abler model in the agent's `try` may do it",
        )
    skipped = outcome.decision.skipped
    skips = set(skipped.values())
    overflow = bool(skips & {"window"}) or any(failure.reason == "context_overflow" for failure in failures)
    unfit = (
        bool(failures or skips)  # else there was no time to try
        and skips <= (NEVER_FIT | {"privacy"} if failures else NEVER_FIT)
        and all(
            failure.reason == "context_overflow" or failure.status in CALLERS_FAULT for failure in failures
        )
    )
    if unfit:
        return Fault(
            status=400,
            message=result.reason,
            code="context_length_exceeded" if overflow else "unsupported_request",
            hint="shorten the prompt, or add a model with a larger window"
            if overflow
            else "add a model that can do it; headgate route tells which can",
        )
    waits = [failure.retry_after for failure in failures if failure.retry_after is not None]
    waits += fleet.pauses(skipped)
    busy = bool(skips & {"busy"}) or bool(waits) or any(failure.status == 429 for failure in failures)
    late = (
        not busy
        and bool(failures or outcome.decision.chain)
        and all(failure.reason == "timeout" for failure in failures)
    )
    if "privacy" in skips:
        hint = "this request may not leave your machines; start a local engine, or drop the privacy wish"
    elif skips & {"down"} or any(
        failure.reason == "refused" or failure.status == 404 for failure in failures
    ):
        hint = "headgate doctor says what is missing"
    else:
        hint = f"headgate log show {outcome.id} tells the whole story"
    return Fault(
        status=504 if late else 503,
        message=result.reason,
        kind="api_error",
        code="engine_busy" if busy else "no_answer",
        hint=hint,
        retry=busy,
        retry_after=max(waits) if waits else (2.0 if busy else None),
    )


def broken_off(failure: Failure) -> Fault:
    """A stream that broke after its first byte."""
    return Fault(
        status=502,
        message=f"the answer broke off: {failure.detail}",
        kind="api_error",
        code=failure.reason,
        hint="the text so far is incomplete; send the request again",
        retry=True,
    )


def closed() -> Fault:
    """The gate closes while the request is under way."""
    return Fault(
        status=503,
        message="the gate is being closed",
        kind="api_error",
        code="closing",
        hint="send the request again when the gate is open",
        retry=True,
        retry_after=5.0,
    )


def inside() -> Fault:
    """Our own mistake."""
    return Fault(
        status=500,
        message="the gate failed on this request",
        kind="api_error",
        hint="the gate's log says where; please report it",
    )
