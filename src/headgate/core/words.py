"""The closed vocabularies: every reason, task and mode that may appear in a ledger, a report or a header.

A word that is not here cannot be recorded. The weekly report counts by these words, so adding one is a design decision
(see docs/design.md, "The words"). This module does not know what any word leads to; `policy` and `cascade` do.
"""

from typing import Literal, get_args

Task = Literal[
    "classification",
    "sentiment",
    "extraction",
    "summarization",
    "translation",
    "code",
    "qa",
    "writing",
    "reasoning",
    "chat",
    "embedding",
]
TASKS: tuple[Task, ...] = get_args(Task)

TaskBy = Literal["caller", "rules", "none"]
"""Who named the task: the caller's own word, the classifier's rules, or nobody (no evidence)."""

Skip = Literal["down", "busy", "window", "format", "capability", "budget", "breaker", "privacy", "unlikely"]
"""Why a candidate was not tried. "unlikely": the learned router does not expect an answer that passes."""
SKIPS: tuple[Skip, ...] = get_args(Skip)

FailureReason = Literal[
    "timeout",
    "refused",
    "http_error",
    "broken_stream",
    "malformed",
    "context_overflow",
    "truncated",
    "wrong_model",
]
"""Why an attempt gave no usable reply."""
FAILURES: tuple[FailureReason, ...] = get_args(FailureReason)

FallbackReason = Literal[
    "token count",
    "quality check failed",
    "unsupported output format",
    "engine unavailable",
    "engine busy",
    "asked for by name",
    "sent by its route",
    "conversation stays",
    "predicted to fail",
]
"""Why a paid model answered in the end. "sent by its route" is a rule other than a token limit that names a paid model
first; it is kept apart so that a user's own rule is never blamed on a local engine. "conversation stays" is a later turn of
a conversation that a paid model answered before. "predicted to fail": the learned router expected no good answer from home."""
FALLBACKS: tuple[FallbackReason, ...] = get_args(FallbackReason)

Status = Literal["ok", "imperfect", "failed", "broken", "cancelled"]
"""What the caller got: a good answer; the best of several answers that failed a check; an error; a stream that broke
after its first byte; or nothing, because the caller hung up."""
STATUSES: tuple[Status, ...] = get_args(Status)

AuditVerdict = Literal["necessary", "unnecessary", "unclear", "good", "missed"]
"""What an audit found. Of a fallback: paying was necessary, was unnecessary because a local model answers as well, or nobody can
say. Of a local answer: it was good, or it was wrong and its checks missed that."""
AUDIT_VERDICTS: tuple[AuditVerdict, ...] = get_args(AuditVerdict)

AuditKind = Literal["fallback", "local"]
"""What an audit asks: of a fallback, whether a local model would have done; of a local answer, whether it was good."""

Judge = Literal[
    "exact",
    "label",
    "fields",
    "facts",
    "similarity",
    "local model",
    "cloud model",
    "decisions",
    "person",
    "caller",
]
"""Who compared two answers, the cheapest first: the same text, the same label, the same JSON fields, the same numbers and names, the
similarity of their embeddings, a model at home or in the cloud, OpenAI's Decisions API, a person in a review, or the caller."""
JUDGES: tuple[Judge, ...] = get_args(Judge)

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)

Mode = Literal["hold", "peek", "pass"]
"""How a stream and its checks share the road: judge the whole answer first, judge the opening, or never hold."""
MODES: tuple[Mode, ...] = get_args(Mode)

Finish = Literal["stop", "length", "tool_calls", "content_filter"]
"""Why a model stopped writing."""

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
"""How long a model may think before it answers, in OpenAI's words; "none" is not at all."""
EFFORTS: tuple[Effort, ...] = get_args(Effort)

DialectName = Literal["openai", "anthropic", "ollama"]
"""Whose words a caller uses. What has no place in our own form is kept in them, for engines that speak the same."""

FormatKind = Literal["text", "json", "schema"]
"""The answer's asked form: free text, any JSON object, or JSON that fits a schema."""

EngineKind = Literal["ollama", "lmstudio", "llamacpp", "openai_compatible", "openai", "anthropic"]
ENGINE_KINDS: tuple[EngineKind, ...] = get_args(EngineKind)

Order = Literal[
    "route",
    "cheapest first",
    "ablest first",
    "conversation stays",
    "loaded first",
    "home first",
    "expected cost",
    "trusted first",
]
"""Why the candidates stand in the order in which they are tried: as their route names them, as the caller asked
(`auto:cheap`, `auto:quality`), because the conversation stays with the model that has it in its prompt cache, because
another model at home is as good at the task and needs no loading, because a soft budget is spent, because this order is
expected to cost least, or because the learned router trusts a model at home with it."""

RouteOrder = Literal["given", "expected cost"]
"""Whether a route tries its models as it names them, or in the order, and as many of them, as is expected to cost least."""

WhenBusy = Literal["next", "pay", "wait"]
"""What a request does when the wait for a local model would be too long: try the next model of its route, go to the first
paid one at once, or wait as long as it has time. With nobody else to go to, it waits."""

Per = Literal["day", "week", "month"]
"""How long the money of a budget has to last."""
PERIODS: tuple[Per, ...] = get_args(Per)

WhenSpent = Literal["local", "refuse", "prefer_local"]
"""What a spent budget does to a request: only models at home, or that cost nothing, may answer it; it is refused where its route
might have to pay; or models at home go first, and paid ones remain behind them."""
WHEN_SPENT: tuple[WhenSpent, ...] = get_args(WhenSpent)

KeyRule = Literal["optional", "required"]
"""Whether callers may do without a key."""

RunStatus = Literal["ok", "escalated", "incomplete", "failed"]
"""What became of an input that a subagent was given: answered by the first model of its chain that could be asked; answered by a later
one, because an answer failed a check or was too unsure; answered, but a check failed to the end, or a part of the input was
not answered; or no output at all."""
RUN_STATUSES: tuple[RunStatus, ...] = get_args(RunStatus)

StepKind = Literal["chunk", "merge", "tool", "search", "model"]
"""What a run did on the way: a chunk of a long input, the answers of chunks put together, a tool called, passages looked up, or a
model asked what to do next."""

LongInput = Literal["chunks", "refuse"]
"""What a subagent does with an input that no lane of its chain takes: answer it chunk by chunk and put the answers together, or
say that it is too long."""

Capability = Literal["tools", "images", "json", "schema", "thinking"]
CAPABILITIES: tuple[Capability, ...] = get_args(Capability)

ModelKind = Literal["chat", "embedding"]

TextUse = Literal["query", "document"]
"""What a text is embedded for: to search with it, or to be found."""
TEXT_USES: tuple[TextUse, ...] = get_args(TextUse)

Role = Literal["system", "developer", "user", "assistant", "tool"]
