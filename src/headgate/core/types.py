"""The values that travel through the gate, in the order in which a request meets them.

    Request → Signals → Decision → (Attempt: Reply | Failure, Verdicts) … → Outcome

All are immutable, so they cannot form cycles, and the garbage collector need not look at them (`gc=False`). Durations are seconds, money is US dollars, token counts are tokens of the model that was asked.
`None` means unknown and is never the same as zero. This module holds no behaviour beyond what a value can say of itself.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType

from headgate.core.budgets import Allowance
from headgate.core.parts import REASONING
from headgate.core.sampled import Sampled
from headgate.core.words import (
    Capability,
    DialectName,
    Effort,
    EngineKind,
    FailureReason,
    FallbackReason,
    Finish,
    FormatKind,
    Mode,
    ModelKind,
    Order,
    Role,
    Skip,
    Status,
    Task,
    TaskBy,
    TextUse,
    WhenBusy,
)

# ── 1. What a caller asks ────────────────────────────────────────────────────────────────────────────────────────────


class Text(Struct, frozen=True, gc=False, tag="text"):
    """A piece of text inside a message."""

    text: str


class Image(Struct, frozen=True, gc=False, tag="image"):
    """A picture inside a message: a `data:` URI or an https address, as the caller gave it."""

    url: str


Part = Text | Image


class ToolCall(Struct, frozen=True, gc=False):
    """A model's wish to call a tool. `arguments` is JSON text, exactly as the model wrote it."""

    id: str
    name: str
    arguments: str


class Message(Struct, frozen=True, gc=False):
    """One turn of a conversation."""

    role: Role
    content: str | tuple[Part, ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    reasoning: str = ""
    """What the model thought before it said this, where the caller gives it back."""

    @property
    def text(self) -> str:
        """The message's text, without its images."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content if isinstance(part, Text))

    @property
    def images(self) -> tuple[Image, ...]:
        """The message's images, in order."""
        if isinstance(self.content, str):
            return ()
        return tuple(part for part in self.content if isinstance(part, Image))


class Tool(Struct, frozen=True, gc=False):
    """A tool the model may call. `parameters` is a JSON Schema, kept as the caller's bytes."""

    name: str
    description: str = ""
    parameters: Raw = Raw(b"{}")
    strict: bool | None = None


class Format(Struct, frozen=True, gc=False):
    """The asked form of the answer. `schema` is the JSON Schema's bytes when kind is "schema"."""

    kind: FormatKind = "text"
    schema: Raw | None = None
    name: str = "answer"


TEXT = Format()


ORDERS: frozenset[Role] = frozenset({"system", "developer"})
"""Roles that engines expect at the beginning, if they know them at all."""


class Request(Struct, frozen=True, gc=False, kw_only=True):
    """What a caller asked, in our normal form, whichever dialect it came in."""

    id: str
    asked: str
    """The caller's `model` word: "auto", "auto:<task>", "auto:local" …, "agent:<name>", or a model's own name."""
    messages: tuple[Message, ...]
    kind: ModelKind = "chat"
    """Which kind of model it is for. An "embedding" request has one message of the user for each text."""
    stream: bool = False
    include_usage: bool = False
    """A streaming caller asked for a usage chunk; engines are always asked, callers get it only on request."""
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    effort: Effort | None = None
    """How long the model may think; None leaves it to the model."""
    format: Format = TEXT
    tools: tuple[Tool, ...] = ()
    tool_choice: Raw | None = None
    """In OpenAI's form: "auto", "none", "required", or {"type": "function", "function": {"name": …}}."""
    parallel_tools: bool | None = None
    """Whether the model may call several tools at once; None leaves it to the model."""
    logprobs: bool = False
    top_logprobs: int | None = None
    task: Task | None = None
    """The task if the caller named it; a caller's word wins over the classifier."""
    labels: tuple[str, ...] = ()
    """The labels to choose from, if a subagent names them."""
    agent: str = ""
    """The subagent that answers; its prompt is in the messages already."""
    threshold: float | None = None
    """The least probability of a label that this subagent is content with."""
    only: str = ""
    """The only model of the subagent's chain that may answer, for instance because it is being tested."""
    pay: bool = True
    """Whether a paid model may answer; without it, the subagent's chain ends at home, and one elsewhere that is free is not asked."""
    local_only: bool = False
    batch: bool = False
    """Nobody sits and waits for it: people's requests are served before it."""
    within: float | None = None
    """The caller's own deadline; None leaves it to the policy."""
    dimensions: int | None = None
    """Of an embedding request: the asked length of the vectors."""
    use: TextUse | None = None
    """Of an embedding request: what its texts are for, as its caller says."""
    token_ids: tuple[tuple[int, ...], ...] = ()
    """Of an embedding request whose texts came as token ids: those ids. The messages hold what they spell."""
    cache: bool = False
    """The conversation will probably go on: mark the prompt for the provider's cache where that has to be asked for."""
    dialect: DialectName = "openai"
    """Whose words `extra`, `raw_messages` and `raw_system` are in."""
    extra: Mapping[str, Raw] = {}
    """Top-level fields that we do not know, forwarded to engines of the same dialect."""
    raw_messages: Raw | None = None
    """`messages` as the caller's bytes, where the canonical form adds nothing: spliced for engines of that dialect.
    Of an embedding request of token ids: `input`."""
    raw_system: Raw | None = None
    """Anthropic's `system` likewise."""
    raw_tools: Raw | None = None
    """Anthropic's `tools` likewise: they may carry cache marks, and tools that only Anthropic runs."""
    beta: str = ""
    """Anthropic's header for features that are not open to all, for engines of its dialect."""
    native: tuple[str, ...] = ()
    """What only an engine of the same dialect can be told, by the raw bytes: "a document", "the tool web_search"."""
    repeated: int = 0
    """Prompt tokens that only repeat what another request for the same input says: one model for all of it would read them once."""
    draft: bool = False
    """Its answer only goes into another one: a model that takes the whole input would not write it."""
    beyond: int = 0
    """Prompt tokens assumed for what is `native`, which the messages do not hold."""
    previous: str = ""
    """The id of the request whose kept conversation goes on here; "" is none."""
    said: int = 0
    """How many of the last messages the caller says now: what a kept conversation gains, without instructions."""
    recalled: bool = False
    """Some of it was said before and was not sent again, so that the body does not tell how long it is."""
    remember: bool = False
    """The answer is remembered for a while, so that a later request can name its items."""
    store: bool = False
    """The answer is kept, with `said`, so that a later request can go on from it."""
    echo: Mapping[str, Raw] = {}
    """What the answer repeats of the request, in the caller's own words (OpenAI's Responses)."""
    wishes: bool = True
    """False where the door knows that plain messages are all of it: every engine can be told these as they are."""


# ── 2. What we measure on it ─────────────────────────────────────────────────────────────────────────────────────────


class Signals(Struct, frozen=True, gc=False, kw_only=True):
    """Cheap facts about a request. The ledger keeps them, so that another policy can be replayed over them."""

    task: Task | None
    """None is "no evidence": the request goes to the route for everything else."""
    task_confidence: float
    task_by: TaskBy
    tokens: int
    """Prompt tokens, counted with o200k where `tokens_exact`, else estimated from bytes."""
    tokens_exact: bool
    format: FormatKind = "text"
    tools: int = 0
    images: int = 0
    language: str = ""
    """ISO 639-1 code of the human's ask, "" when unsure."""
    code_blocks: int = 0
    labels: tuple[str, ...] = ()
    """The labels that the ask offers to choose from, if it lists them."""
    local_only: bool = False
    """Its caller, its conversation or its route lets it go nowhere but to machines of the user's."""
    keeps_to: str = ""
    """The model that answered the last turn of this conversation a short while ago; "" when there is none."""
    chances: Mapping[str, float] = {}
    """How likely each model's answer is acceptable, by the learned router; a model of which it cannot say is missing."""
    trusted: tuple[str, ...] = ()
    """Models of these that answered such requests well often enough to be trusted with them, the likeliest first."""
    cached: int = 0
    """Tokens of the prompt that this model's prompt cache should still hold."""


# ── 3. What we know about models ─────────────────────────────────────────────────────────────────────────────────────


class Rates(Struct, frozen=True, gc=False, kw_only=True):
    """What tokens cost, in dollars per million of them; None is unknown."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write_5m: float | None = None
    cache_write_1h: float | None = None
    audio: float | None = None
    audio_output: float | None = None
    images: float | None = None
    """Where pictures have a rate of their own; None is that of `input`."""
    reasoning: float | None = None
    """Where thinking has a rate of its own; None is that of `output`."""


class Band(Rates, frozen=True, gc=False, kw_only=True):
    """The rates of a prompt that is longer than `above` tokens, cached ones among them: they hold for the whole request."""

    above: int


class Price(Rates, frozen=True, gc=False, kw_only=True):
    """What a model costs, with the day and source it was read from."""

    bands: tuple[Band, ...] = ()
    """From the shortest prompt to the longest."""
    search: float | None = None
    """Dollars for one search of the web that the provider makes."""
    request: float = 0.0
    """Dollars for each request, beside its tokens."""
    services: tuple[tuple[str, "Price"], ...] = ()
    """What it costs when it is served otherwise ("batch", "flex", "priority" …), where that is listed."""
    date: str = ""
    source: str = ""


class Prefixes(Struct, frozen=True, gc=False, kw_only=True):
    """What a model for embeddings wants to read before each text; "" is nothing."""

    query: str = ""
    document: str = ""


NO_PREFIXES = Prefixes()


class Model(Struct, frozen=True, gc=False, kw_only=True):
    """A model on an engine."""

    name: str
    engine: str
    engine_kind: EngineKind
    id: str
    """The name the engine knows it by, for instance "llama3.1:8b"."""
    kind: ModelKind = "chat"
    local: bool
    """Its tokens never leave machines that the user owns."""
    context: int | None = None
    """Tokens of prompt and answer together that really fit; None is unknown."""
    max_output: int | None = None
    capabilities: frozenset[Capability] = frozenset({"json", "schema", "tools"})
    price: Price | None = None
    """None: unknown. A local model's price is zero dollars per token unless the user says otherwise."""
    confidence: float | None = None
    """The least mean token log-probability at which this model's answer is believed; None: any is."""
    confidence_for: Mapping[Task, float] = {}
    """The same for tasks that want another one."""
    display: str = ""
    """Its name in the report; "" means the id without its tag."""
    settings: Mapping[str, Any] = {}
    """The user's own defaults for this model (temperature, effort …), in the engine's words."""
    label: str = ""
    """Shown beside the name wherever the model is named, for instance "stand-in"."""
    slots: int | None = None
    """Requests that it takes at a time; None leaves it to its engine."""
    prefixes: Prefixes = NO_PREFIXES
    """Of a model for embeddings."""
    lane_of: str = ""
    """The model whose longer lane this is: the same weights with a larger context. "" is no such lane."""
    scores: Mapping[Task, float] = {}
    """How well it did in the exam on this machine, 0–1, task by task; a task without evidence is missing."""
    passing: Mapping[Task, float] = {}
    """The share of its answers that passed their checks lately, 0–1, task by task; a task with too few of them is missing."""
    longer: tuple[str, ...] = ()
    """The longer lanes of this model, which are tried before any other model when a prompt does not fit."""

    @property
    def held_to_confidence(self) -> bool:
        """Whether its log-probabilities matter, so that its engine is asked for them."""
        return self.confidence is not None or bool(self.confidence_for)

    def least_confidence(self, task: Task | None) -> float | None:
        """The least mean log-probability at which its answer to a task is believed; None: any is."""
        return self.confidence if task is None else self.confidence_for.get(task, self.confidence)


# ── 4. What the policy decides ───────────────────────────────────────────────────────────────────────────────────────


class Candidate(Struct, frozen=True, gc=False, kw_only=True):
    """A model considered for one request, with the reason if it was skipped."""

    model: str
    skip: Skip | None = None
    detail: str = ""
    """One sentence for people: the figures behind the skip."""
    estimate: float | None = None
    """Expected cost in dollars of one attempt; None is unknown."""


class Decision(Struct, frozen=True, gc=False, kw_only=True):
    """A route, its candidates in order, and the limits under which they may be tried. Replayable."""

    route: str
    why: str
    """One sentence: why this route."""
    candidates: tuple[Candidate, ...]
    checks: tuple[str, ...]
    pass_at: float
    mode: Mode
    within: float
    """Seconds that the whole request may take, all attempts together."""
    attempts_at_most: int
    spend_at_most: float | None = None
    """Dollars that the whole request may spend; None is no limit."""
    by_name: bool = False
    tokens_over: int | None = None
    """The token limit of the matching route, if that is what made it match."""
    order: Order = "route"
    local_only: bool = False
    """Nothing of the request leaves the user's machines: the caller says so, or the route."""
    queue_for: float = 3.0
    """Seconds that the request waits for a local model while there is another to go to."""
    when_busy: WhenBusy = "next"
    confirm: str = ""
    """Who answers a second time before an answer from home goes out: a model at home, or "itself"; "" is nobody."""
    notice: str = ""
    """What the caller should know besides his answer: that a budget is spent. It is not kept in the ledger."""

    @property
    def is_known(self) -> bool:
        """Whether anybody has told it. Of a request that was imported only what was done may be known; its `within` is 0 then."""
        return self.within > 0.0

    @property
    def chain(self) -> tuple[str, ...]:
        """The models that may be tried, in order."""
        return tuple([candidate.model for candidate in self.candidates if candidate.skip is None])

    @property
    def skipped(self) -> dict[str, Skip]:
        """The models that may not, with the reason."""
        return {c.model: c.skip for c in self.candidates if c.skip is not None}


class FleetView(Struct, frozen=True, gc=False, kw_only=True):
    """Engines and money as they are at one moment, in as far as a decision depends on them."""

    down: Mapping[str, str] = {}
    """Engines that cannot be asked: they did not answer, or have no key; with a sentence why."""
    breaker: frozenset[str] = frozenset()
    """Models that failed so often in a row that they are left alone for a while."""
    cold: frozenset[str] = frozenset()
    """Models at home that would have to be loaded first."""
    remote: frozenset[tuple[str, str]] = frozenset()
    """(engine, id) of models that an engine at home passes on to somebody else's machines."""
    allowance: Allowance | None = None
    """What the hard budget with the least left leaves to this request; None is no limit."""
    overspent: Allowance | None = None
    """A soft budget of this request that is spent."""


# ── 5. What an engine gives back ─────────────────────────────────────────────────────────────────────────────────────


class Usage(Struct, frozen=True, gc=False, kw_only=True):
    """Tokens of one attempt, each part exact or estimated. Parts never overlap, except the shares that are named so."""

    input: int = 0
    """Prompt tokens that were neither read from nor written to a cache."""
    cache_read: int = 0
    cache_write_5m: int = 0
    """Written to a cache that keeps for five minutes, or for as long as its provider likes."""
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    """The share of `output` that the model thought with."""
    images: int = 0
    """The share of `input` that stands for pictures, where the provider counts it."""
    audio: int = 0
    """The share of `input` that stands for sound, likewise."""
    audio_output: int = 0
    """The share of `output` that is sound."""
    searches: int = 0
    """Searches of the web that the provider made and charges for. No tokens."""
    service: str = ""
    """How it was served, where that has another price: "batch", "flex", "priority" …; "" is the usual way."""
    charged: float | None = None
    """Dollars that the provider says it took for this attempt; None where it does not say."""
    estimated: int = 0
    """The parts that nobody counted and that we had to estimate, as bits of `PARTS`."""

    @property
    def prompt(self) -> int:
        """All prompt tokens."""
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h

    @property
    def exact(self) -> bool:
        """Every part is the provider's own figure; how much of the output was thinking has no price of its own and may be a guess."""
        return not self.estimated & ~REASONING

    def has_exact(self, parts: int) -> bool:
        """Whether all these parts are the provider's own figures."""
        return not self.estimated & parts


class Delta(Struct, frozen=True, gc=False):
    """A piece of a streamed reply."""

    text: str = ""
    reasoning: str = ""
    tool_index: int | None = None
    tool_id: str = ""
    tool_name: str = ""
    tool_arguments: str = ""
    logprobs: Raw | None = None
    signature: str = ""
    """Anthropic's seal on the reasoning before it, for the caller to give back."""
    block: Raw | None = None
    """What of Anthropic's content has no other form: a whole block (redacted thinking, results of its own tools); or, by the
    names of its events, a citation for the text before it (`citations_delta`), the end of a block (`content_block_stop`)."""


class Reply(Struct, frozen=True, gc=False, kw_only=True):
    """A whole answer of a model, proven complete by the engine's own end mark."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
    finish: Finish = "stop"
    stopped_by: str = ""
    """The stop sequence that ended it, where the engine says so."""
    answered_by: str = ""
    """The model that the engine says has answered; "" when it does not say."""
    usage: Usage
    logprob: float | None = None
    """Mean token log-probability of the answer, where the engine gives it."""
    logprobs: Raw | None = None
    """The caller's asked log-probabilities, in OpenAI's form (the array `content`)."""
    blocks: Raw | None = None
    """The whole content as Anthropic wrote it, seals and citations included; None from other engines."""
    vectors: tuple[bytes, ...] = ()
    """Of an embedding request: one vector per text, each as little-endian float32."""
    label: str = ""
    """The one that the answer names, where a subagent offers labels."""
    probabilities: Mapping[str, float] = {}
    """Of these labels, where the engine gives log-probabilities."""
    first_token: float | None = None
    """Seconds from sending to the first byte of the answer."""
    seconds: float = 0.0
    loading: float = 0.0
    """Seconds of these that went into loading the model."""


class Failure(Struct, frozen=True, gc=False, kw_only=True):
    """Why an attempt gave no usable reply. An expected thing, hence a value."""

    reason: FailureReason
    detail: str
    status: int | None = None
    """The engine's HTTP status, if it got that far."""
    retry_after: float | None = None
    usage: Usage | None = None
    """What was used up all the same, where that is known."""
    first_token: float | None = None
    seconds: float = 0.0
    text: str = ""
    """What had arrived before a stream broke or an answer was cut."""
    hint: str = ""
    """For people: what to do about it, where the engine's adapter knows."""


# ── 6. How we judge it ───────────────────────────────────────────────────────────────────────────────────────────────


class Answer(Struct, frozen=True, gc=False):
    """All that a check may look at."""

    request: Request
    signals: Signals
    reply: Reply
    model: Model


class Verdict(Struct, frozen=True, gc=False):
    """One check's opinion: a score in 0–1 and why. A score of None is "no evidence" and weighs nothing."""

    check: str
    score: float | None
    reason: str = ""


class Attempt(Struct, frozen=True, gc=False, kw_only=True):
    """One call to one model."""

    model: str
    started: float
    """Seconds after the request was received."""
    ended: float
    queued: float = 0.0
    first_token: float | None = None
    usage: Usage | None = None
    cost: float | None = None
    energy: float | None = None
    """Joules that the machines at home spent on it; 0 elsewhere, None is unknown."""
    failure: Failure | None = None
    verdicts: tuple[Verdict, ...] = ()
    score: float | None = None
    """The lowest score of its verdicts; None without a reply or without evidence."""
    logprob: float | None = None
    finish: Finish | None = None
    late: bool = False
    """Judged only after its bytes had gone out."""
    confirms: bool = False
    """It was made to compare its answer with that of the attempt before it, and is never delivered."""


# ── 7. What the cascade says next ────────────────────────────────────────────────────────────────────────────────────


class Try(Struct, frozen=True, gc=False):
    """Call this model next."""

    model: str
    within: float
    """Seconds left for it."""
    confirms: bool = False
    """Only to see whether it answers as the attempt before it did."""


class Deliver(Struct, frozen=True, gc=False):
    """Give the caller the answer of this attempt."""

    attempt: int
    perfect: bool
    """False: no answer passed its checks; this is the best of those there are."""


class GiveUp(Struct, frozen=True, gc=False):
    """There is no answer to give."""

    reason: str


Step = Try | Deliver | GiveUp

# ── 8. What is written down ──────────────────────────────────────────────────────────────────────────────────────────


class Turn(Struct, frozen=True, gc=False):
    """What one request adds to a conversation that is kept."""

    previous: str
    """The id of the request that it goes on from; "" at the beginning."""
    messages: tuple[Message, ...]
    """What the caller said, and the answer."""


class Outcome(Struct, frozen=True, gc=False, kw_only=True):
    """What the caller got: by whom, at what cost, after which attempts. One row of the ledger, with its attempts."""

    id: str
    received: float
    """Unix time."""
    asked: str
    stream: bool
    signals: Signals
    decision: Decision
    attempts: tuple[Attempt, ...]
    status: Status
    model: str | None
    """The model that answered in the end; None when none did."""
    fallback: FallbackReason | None
    fallback_limit: int | None = None
    """N of "token count > N"."""
    seconds: float
    first_token: float | None = None
    """Seconds from receipt to the first byte for the caller."""
    usage: Usage | None = None
    """Of the attempt that answered."""
    cost: float | None
    """Dollars for all attempts together; None when any part is unknown."""
    baseline: str
    """The model that the savings are measured against."""
    baseline_cost: float | None
    """What the answering attempt's tokens would have cost there."""
    baseline_input: int | None = None
    """Its prompt tokens as the baseline's tokenizer would count them."""
    baseline_output: int | None = None
    """Its answer's likewise."""
    alternative: str = ""
    """The cheapest cloud model that could have taken the request; "" when none is known."""
    alternative_cost: float | None = None
    """What the answering attempt's tokens would have cost there."""
    energy: float | None = None
    """Joules of all attempts together; None when any part is unknown."""
    energy_cost: float | None = None
    """Dollars for that energy at the price of the day; None when either is unknown."""
    key: str = ""
    """The name of the key that the caller showed; "" when he showed none of ours."""
    team: str = ""
    """The team that this key belongs to."""
    agent: str = ""
    """The subagent that answered."""
    prices_as_of: str = ""
    """Day of the prices used, "2026-11-23"."""
    error: str = ""
    adjusted: tuple[str, ...] = ()
    """What of the request was dropped or said otherwise for the model that answered, one sentence each."""
    prompt: str | UnsetType = UNSET
    answer: str | UnsetType = UNSET
    """Bodies, only when the user turned on keeping them."""
    audit: Sampled | UnsetType = UNSET
    """What an audit of the request needs, where one was chosen. It is not read with the outcome."""
    turn: Turn | UnsetType = UNSET
    """Only of a request that a later one may go on from. It is read by itself, and not with the outcome."""
