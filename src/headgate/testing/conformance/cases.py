"""The cases: what the faulty model does, the request that asks for it, and the answers that are right.

Every request has an id of its own, and every right answer repeats it, so an answer that was meant for somebody else, or comes
from a cache, is a wrong one. Nothing here sends or receives.
"""

import re
from typing import Any

from msgspec import Struct

from headgate.testing.faults import Fault

FAULTY, GOOD = "faulty", "good"
"""The upstream's two models: the one that fails as it is told, and the one to fall back to."""

IMPOSTOR = "impostor"
"""A model that nobody asked for."""

NOTE = (
    "A lock is a chamber of water between two pairs of gates. A boat that wants to climb enters from below, and the lower "
    "gates are closed behind it. Then small doors in the upper gates, the paddles, are wound open, and the canal above fills "
    "the chamber until both levels are the same. Only then can the upper gates be pushed aside, because until that moment the "
    "water itself holds them shut. Going down works the other way round: the chamber is emptied through the lower paddles "
    "while the boat floats inside, kept away from the sill at its back. No pump and no engine is needed, since gravity does "
    "all of the lifting, and the price is one chamber of water that leaves the summit for the sea with every passage."
)
LATE = 100
"""Pieces (words) of the note after which a late fault strikes: most of it is out by then."""

BY_THE_FIRST = " This is the first model's answer."
BY_THE_SECOND = " This is the second model's answer; the first had been asked {} times."
BY_THE_IMPOSTOR = "Canal boats were drawn by horses, which walked beside the water on a path of their own, two miles an hour."
AFTER_A_CUT = "The last paragraph describes the museum's tea room, which opens at ten and closes when the boats are back."
"""What a model answers to a prompt of which it saw only the end."""

SEEN_OF_A_LONG_PROMPT = 1024
"""Tokens that the faulty model reads of a prompt of some 3,000: the window it was really loaded with."""

TOOL = {
    "type": "function",
    "function": {
        "name": "book_passage",
        "description": "Book a passage through a lock.",
        "parameters": {
            "type": "object",
            "properties": {
                "ticket": {"type": "string"},
                "boats": {"type": "integer", "minimum": 1},
                "asked_before": {"type": "integer"},
            },
            "required": ["ticket", "boats"],
            "additionalProperties": False,
        },
    },
}

_MARK = re.compile(r"\[fault: ([a-z0-9-]+), id: ([0-9a-f]+)\]")


class Case(Struct, frozen=True):
    """One thing that goes wrong, asked for whole or as a stream."""

    name: str
    shows: str
    """What the faulty model does, for people."""
    fault: Fault | None
    stream: bool
    at_once: int = 1
    """Requests that are sent together."""
    tool: bool = False
    """A call of the tool is asked for, and no text."""
    long: bool = False
    """The prompt is long."""

    def prompt(self, request_id: str) -> str:
        """The user's message."""
        ask = (
            "Book a passage for two boats with the tool."
            if self.tool
            else "Explain to a visitor how a canal lock works."
        )
        return f"{_papers() if self.long else ''}{ask} [fault: {self.name}, id: {request_id}]"

    def body(self, model: str, request_id: str) -> dict[str, Any]:
        """The request's body."""
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": "user", "content": self.prompt(request_id)}],
        }
        if self.tool:
            body["tools"] = [TOOL]
        if self.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body


def marked(prompt: str) -> tuple[str, str] | None:
    """The case's name and the request's id in a prompt."""
    found = _MARK.search(prompt)
    return (found[1], found[2]) if found else None


def note(request_id: str) -> str:
    """The part of the right answer that both models give."""
    return f"Note {request_id}. {NOTE}"


def arguments(request_id: str, asked_before: int) -> dict[str, Any]:
    """The right arguments of the tool."""
    return {"ticket": request_id, "boats": 2, "asked_before": asked_before}


def _papers() -> str:
    """Some 2,600 words to read before the question."""
    lines = (f"Page {page}, kept in drawer {page % 7}: {NOTE}" for page in range(1, 21))
    return "Here are the museum's papers.\n" + "\n".join(lines) + "\n\n"


def _both(name: str, shows: str, fault: Fault | None, **more: Any) -> list[Case]:
    return [Case(name, shows, fault, stream, **more) for stream in (False, True)]


CASES: tuple[Case, ...] = (
    *_both("no-fault", "answers as it should", None),
    *_both(
        "cut-before-first-byte",
        "reads the request and closes the connection",
        Fault.cut_before_headers(abrupt=False),
    ),
    Case(
        "cut-after-first-byte",
        "closes the connection in the middle of the body",
        Fault.cut_mid_stream(abrupt=False),
        stream=False,
    ),
    Case(
        "cut-after-first-byte",
        "closes the connection after one word",
        Fault.cut_mid_stream(1, abrupt=False),
        stream=True,
    ),
    Case(
        "cut-late",
        f"closes the connection after {LATE} words",
        Fault.cut_mid_stream(LATE, abrupt=False),
        stream=True,
    ),
    *_both(
        "reset-before-first-byte", "reads the request and resets the connection", Fault.cut_before_headers()
    ),
    Case(
        "reset-midway",
        "resets the connection in the middle of the body",
        Fault.cut_mid_stream(),
        stream=False,
    ),
    Case(
        "reset-midway", f"resets the connection after {LATE} words", Fault.cut_mid_stream(LATE), stream=True
    ),
    *_both(
        "half-open", "reads the request, says nothing for ever, and keeps the connection", Fault.half_open()
    ),
    Case(
        "stall-before-first-token",
        "opens the stream, then is silent for ever",
        Fault.stall_mid_stream(0),
        stream=True,
    ),
    Case(
        "stall-after-first-byte",
        "sends half of the body, then is silent for ever",
        Fault.stall_mid_stream(),
        stream=False,
    ),
    Case(
        "stall-after-first-byte", "is silent for ever after one word", Fault.stall_mid_stream(1), stream=True
    ),
    Case("stall-late", f"is silent for ever after {LATE} words", Fault.stall_mid_stream(LATE), stream=True),
    Case("slow-drip", "sends everything, 16 bytes every 20 ms", Fault.dribble(16, 0.02), stream=False),
    Case("slow-drip", "sends everything, 400 bytes every 20 ms", Fault.dribble(400, 0.02), stream=True),
    Case(
        "malformed-chunk", "sends half of a JSON document as the body", Fault.malformed_json(), stream=False
    ),
    Case(
        "malformed-chunk", "breaks the second word's event, and goes on", Fault.mangled_piece(1), stream=True
    ),
    Case(
        "malformed-late",
        f"breaks the event after {LATE} words, and goes on",
        Fault.mangled_piece(LATE),
        stream=True,
    ),
    Case(
        "broken-chunk", "breaks HTTP's framing in the middle of the body", Fault.broken_chunk(), stream=False
    ),
    Case("broken-chunk", "breaks HTTP's framing after one word", Fault.broken_chunk(1), stream=True),
    *_both("error-200", "answers 200 with an error in the body", Fault.status_200_error_body()),
    Case(
        "error-event-first",
        "sends an error event before the first word",
        Fault.error_event_mid_stream(0),
        stream=True,
    ),
    Case(
        "error-event-late",
        f"sends an error event after {LATE} words",
        Fault.error_event_mid_stream(LATE),
        stream=True,
    ),
    Case("missing-done", "leaves out [DONE] after a complete answer", Fault.no_last_event(), stream=True),
    Case(
        "missing-finish",
        f"ends the body in order after {LATE} words, without finish_reason and [DONE]",
        Fault.no_end_proof(LATE),
        stream=True,
    ),
    *_both("usage-missing", "answers as it should, without usage", Fault.no_usage()),
    *_both("wrong-model", "lets another model answer, and says so in `model`", Fault.wrong_model(IMPOSTOR)),
    *_both("context-overflow", "refuses: 400 context_length_exceeded", Fault.context_overflow()),
    *_both(
        "silent-truncation",
        f"answers after reading {SEEN_OF_A_LONG_PROMPT:,} tokens of a prompt of 3,000; only usage tells",
        None,
        long=True,
    ),
    *_both("cut-at-limit", "says half, with finish_reason length", Fault.truncated()),
    *_both("empty-answer", "says nothing, with finish_reason stop", Fault.empty_answer()),
    *_both("garbage-arguments", "calls the tool with arguments that are no JSON", None, tool=True),
    *_both("misfit-arguments", "calls the tool with arguments that do not fit its schema", None, tool=True),
    *_both(
        "storm-429",
        "answers 429 with retry-after: 1 to 20 requests at once",
        Fault.rate_limited(1),
        at_once=20,
    ),
    *_both("storm-529", "answers 529 to 20 requests at once", Fault.overloaded(), at_once=20),
)
CALM = CASES[:2]
"""The cases in which nothing goes wrong, whole and as a stream; one is sent before each of the others."""


def case_of(name: str, *, stream: bool) -> Case | None:
    """The case that a call asks for."""
    return next((case for case in CASES if case.name == name and case.stream is stream), None)


def cases_named(*names: str) -> tuple[Case, ...]:
    """The cases of these names; of all, without any.

    Raises:
        KeyError: there is none of a name.
    """
    for name in names:
        if all(case.name != name for case in CASES):
            raise KeyError(name)
    return tuple(case for case in CASES if not names or case.name in names)
