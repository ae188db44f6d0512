"""One request as a line of a JSONL file, in words: what `headgate ledger export` writes and `headgate ledger import` reads.

A line says by itself all that reports count: times, tokens, money, who answered and why a paid model did. Most of it may be
left out; what is missing is unknown, or follows from the rest as its field says. The JSON Schema in the docs is made from
these classes. This module knows neither files nor tables (`importing`, `exporting`).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from headgate.core.types import Price
from headgate.core.words import (
    AuditVerdict,
    EngineKind,
    FailureReason,
    FallbackReason,
    Finish,
    FormatKind,
    Mode,
    ModelKind,
    Order,
    Skip,
    Status,
    Task,
    TaskBy,
    WhenBusy,
)

Count = Annotated[int, Meta(ge=0, le=2**53)]
Amount = Annotated[float, Meta(ge=0, le=1e9)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Part = Literal[
    "input",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "output",
    "reasoning",
    "images",
    "audio",
    "audio_output",
]
Share = Annotated[float, Meta(ge=0, le=1)]

PASS_AT: Final = 0.6
LATEST: Final = 253_402_300_800.0
"""Unix time of the end of the year 9999."""


class LineModel(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A model as reports show it."""

    engine: str
    """The name of the engine that it runs on."""
    kind: EngineKind | None = None
    """What sort of engine that is; left out, the engine's name says so."""
    id: str = ""
    """The name that the engine knows it by; left out, its name here."""
    purpose: ModelKind = "chat"
    local: bool | None = None
    """It runs on the user's own machines; left out, the sort of engine says so."""
    display: str = ""
    """Its name in the report; left out, its id without the tag."""
    label: str = ""
    """Shown beside the name, for instance "stand-in"."""
    price: Price | None = None
    """Dollars per million tokens."""


class LineUsage(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Tokens of one call, in parts that do not overlap."""

    input: Count = 0
    """Prompt tokens that were neither read from nor written to a cache."""
    cache_read: Count = 0
    cache_write_5m: Count = 0
    cache_write_1h: Count = 0
    output: Count = 0
    reasoning: Count = 0
    """The share of the output that the model thought with."""
    images: Count = 0
    """The share of the input that stands for pictures."""
    audio: Count = 0
    """The share of the input that stands for sound."""
    audio_output: Count = 0
    """The share of the output that is sound."""
    searches: Count = 0
    """Searches of the web that the provider charges for."""
    service: str = ""
    """How it was served, where that has a price of its own: "batch", "flex" …"""
    charged: Amount | None = None
    """Dollars that the provider says it took."""
    estimated: tuple[Part, ...] = ()
    """The parts that nobody counted and that were estimated."""


class LineCheck(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one check said of an answer."""

    check: str
    score: Share | None = None
    reason: str = ""


class LineAttempt(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One call to one model."""

    model: str
    engine: str = ""
    """Where the model runs: "ollama", "lmstudio", "llamacpp", "openai_compatible", "openai", "anthropic", or a name that `models`
    explains."""
    started: Seconds = 0.0
    """Seconds after the request came."""
    latency: Seconds = 0.0
    """Seconds that the call took."""
    queued: Seconds = 0.0
    """Seconds that it waited for a place."""
    first_token: Seconds | None = None
    """Seconds from the call to its first token."""
    usage: LineUsage | None = None
    cost: Amount | UnsetType | None = UNSET
    """Dollars; null is unknown. Left out, a model at home costs nothing and any other is unknown."""
    energy: Amount | None = None
    """Joules."""
    verdict: Literal["passed", "rejected"] | None = None
    """Whether its answer passed the checks; null is not judged. `score` says the same more finely."""
    score: Share | None = None
    """The lowest score of its checks."""
    checks: tuple[LineCheck, ...] = ()
    failure: FailureReason | None = None
    """Why it gave no usable answer."""
    detail: str = ""
    """A sentence about the failure."""
    finish: Finish | None = None
    logprob: float | None = None
    late: bool = False
    """Judged only after its bytes had gone out."""
    confirms: bool = False
    """It was made to compare its answer with that of the attempt before it."""


class LineSignals(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What was measured on the request."""

    tokens: Count = 0
    """Of the prompt; left out, those of the first call's usage."""
    tokens_exact: bool = False
    confidence: Share = 0.0
    """In the task."""
    task_by: TaskBy | None = None
    """Who named the task; left out, the caller where there is one."""
    format: FormatKind = "text"
    tools: Count = 0
    images: Count = 0
    language: str = ""
    code_blocks: Count = 0
    local_only: bool = False
    labels: tuple[str, ...] = ()
    """Those that the prompt offers to choose from; kept only together with it."""
    keeps_to: str = ""
    """The model that answered the last turn of the conversation a short while ago."""
    cached: Count = 0
    """Tokens of the prompt that this model's prompt cache should still hold."""
    chances: dict[str, Share] = {}
    """How likely each model's answer is acceptable, by the learned router."""
    trusted: tuple[str, ...] = ()
    """Models of these that the router trusts, the likeliest first."""


class LineCandidate(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A model that was considered."""

    model: str
    skip: Skip | None = None
    """Why it was not to be tried; null: it was."""
    detail: str = ""
    """One sentence about that."""
    estimate: Amount | None = None
    """Dollars that an attempt was expected to cost; null is unknown."""


class LineDecision(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Whom the route would have asked, and within which limits: what a replay starts from, beside `route`, `why` and `pass_at`."""

    candidates: tuple[LineCandidate, ...] = ()
    """In the order in which they were to be tried, also those that were not needed."""
    checks: tuple[str, ...] = ()
    """That an answer had to pass."""
    mode: Mode = "peek"
    within: Annotated[float, Meta(gt=0, le=1e9)] = 60.0
    """Seconds for all attempts together."""
    attempts_at_most: Count = 4
    spend_at_most: Amount | None = None
    """Dollars; null is no limit."""
    by_name: bool = False
    """The caller named the model."""
    tokens_over: Count | None = None
    """The limit of tokens that made the route match."""
    order: Order = "route"
    """Why the candidates stood in that order."""
    local_only: bool = False
    """Nothing of it was to leave the user's machines."""
    queue_for: Seconds = 3.0
    """Seconds that it would have waited for a model at home."""
    when_busy: WhenBusy = "next"
    confirm: str = ""
    """Who was to answer a second time; "" is nobody."""


class LineFallback(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Why a paid model answered."""

    reason: FallbackReason
    limit: Annotated[int, Meta(ge=0, le=2**32 - 2)] | None = None
    """N of "token count > N"."""


class LineOpinion(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What one judge said of the answer."""

    judge: str
    verdict: AuditVerdict
    time: float | str | None = None
    """When; left out, the time of the audit."""
    score: Share | None = None
    """How sure it is that the local answer is as good."""
    by: str = ""
    """The model that judged, or the person or key."""
    reason: str = ""
    cost: Amount | None = 0.0


class LineAudit(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What an audit found of the answer."""

    verdict: AuditVerdict
    judge: str = "import"
    time: float | str | None = None
    """When; left out, the time of the request."""
    cost: Amount | None = None
    reason: str = ""
    probability: Annotated[float, Meta(gt=0, le=1)] | None = None
    """With which the request was chosen; null: nobody chose by chance."""
    model: str = ""
    """The model at home whose answer was compared."""
    score: Share | None = None
    """The lowest score of that answer's checks."""
    rejected: dict[str, Share] = {}
    """Other models at home whose answers were there and would not have gone out, with the lowest score of each."""
    opinions: tuple[LineOpinion, ...] = ()
    """What each judge said."""


class Line(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One request and what became of it. Only `time` must be there."""

    time: float | str
    """When it came: "2025-10-14T09:30:00Z", or seconds since 1970."""
    id: str = ""
    """A request is imported once, however often its id comes; left out, the line itself is its id."""
    task: Task | None = None
    """Null is "no evidence"."""
    signals: LineSignals = LineSignals()
    asked: str = "auto"
    """The model that the caller named."""
    stream: bool = False
    route: str = "imported"
    why: str = ""
    """One sentence: why this route."""
    attempts: tuple[LineAttempt, ...] = ()
    """The calls, in order."""
    pass_at: Share = PASS_AT
    """The score from which on an answer passes."""
    decision: LineDecision | None = None
    """What else was decided; left out, a replay cannot tell what would become of the request."""
    model: str | UnsetType | None = UNSET
    """Who answered; null is nobody. Left out, the last call, if it has no failure and the status is none."""
    status: Status | None = None
    """Left out: "ok" where a call answered that was not rejected, "imperfect" where it was, else "failed"."""
    fallback: LineFallback | None = None
    latency: Seconds | None = None
    """Seconds for the caller, from first to last; left out, until the end of the last call."""
    first_token: Seconds | None = None
    """Seconds until the caller's first byte; left out, that of the call that answered."""
    cost: Amount | UnsetType | None = UNSET
    """Dollars for all calls; null is unknown. Left out, the sum of the calls'."""
    baseline: str = "gpt-4o"
    """The model that savings are measured against."""
    baseline_cost: Amount | None = None
    """Dollars that the answer would have cost there; null is unknown."""
    baseline_input: Count | None = None
    baseline_output: Count | None = None
    alternative: str = ""
    """The cheapest cloud model that could have answered."""
    alternative_cost: Amount | None = None
    energy: Amount | None = None
    """Joules of all calls."""
    energy_cost: Amount | None = None
    key: str = ""
    team: str = ""
    agent: str = ""
    prices_as_of: str = ""
    """Day of the prices, "2025-10-13"."""
    error: str = ""
    prompt: str | UnsetType = UNSET
    answer: str | UnsetType = UNSET
    audit: LineAudit | None = None
    models: Mapping[str, LineModel] = {}
    """What is known of the models that the line names; a model that is not explained here is known by its engine's word."""


class LineError(Exception):
    """What is wrong with a line, for people."""


_decode: Final = msgspec.json.Decoder(Line).decode


def read_line(text: bytes) -> Line:
    """A line as a value.

    Raises:
        LineError: it is no such line.
    """
    try:
        line = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LineError(str(error)) from error
    moment(line.time)
    if line.audit is not None:
        for time in (line.audit.time, *(opinion.time for opinion in line.audit.opinions)):
            if time is not None:
                moment(time)
    return line


def moment(time: float | str) -> float:
    """A time as seconds since 1970.

    Raises:
        LineError: it is no time, or has no zone.
    """
    if isinstance(time, str):
        try:
            told = datetime.fromisoformat(time)
        except ValueError as error:
            raise LineError(f'"{time}" is no time; write it as "2025-10-14T09:30:00Z"') from error
        if told.tzinfo is None:
            raise LineError(f'"{time}" has no time zone; write it as "{time}Z" if it is UTC')
        time = told.timestamp()
    if not 0 <= time < LATEST:
        raise LineError(
            f"the time {time:g} lies before 1970 or after 9999; it is in seconds, not milliseconds"
        )
    return time


def schema() -> dict[str, Any]:
    """The JSON Schema of a line."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A request, as headgate ledger import reads it",
        **msgspec.json.schema(Line),
    }
