"""What the parts cost on their own: measuring a request, deciding, judging, writing it down. Microseconds of CPU time."""

import tempfile

from msgspec import Struct, structs

from beside import gates, texts
from checks import micros
from headgate.config.compile import Config
from headgate.config.load import parse_config
from headgate.core.checks import judge
from headgate.core.policy import decide
from headgate.core.signals import measure
from headgate.core.types import Answer, FleetView, Message, Reply, Request, Usage
from headgate.wire.doors.openai_chat import decode_request
from ledger import measure_loop, measure_throughput, outcomes_of, plain

RATE = 5_000
"""Requests a second that the ledger must take."""


class Piece(Struct, frozen=True):
    """A part's cost, and what it may cost at most (or must reach at least)."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.at_most is not None:
            return self.value <= self.at_most
        return None if self.at_least is None else self.value >= self.at_least


def longer(text: str, size: int) -> str:
    """The text, continued with the answer's and its own sentences until it has `size` characters."""
    sentences = f"{text} {texts.ANSWER} ".replace("\n\n", " ")
    return (sentences * (size // len(sentences) + 1))[:size]


def pure_pieces(config: Config) -> list[Piece]:
    """The stops of a request that call nothing: decode, measure, decide, judge."""
    policy = config.policy
    body = texts.request_body("auto")
    request = decode_request(body, "r")
    assert isinstance(request, Request)
    large = structs.replace(request, messages=(Message("user", longer(texts.PROMPT, 4000)),))
    signals = measure(request, policy)
    fleet = FleetView()
    decision = decide(policy, fleet, request, signals)
    checks = tuple((name, config.checks[name]) for name in decision.checks)
    reply = Reply(text=texts.ANSWER, usage=Usage(input=214, output=187), answered_by="bench")
    answer = Answer(request, signals, reply, policy.models["small"])
    return [
        Piece("decode the request, 1 KB", micros(lambda: decode_request(body, "r")), "µs"),
        Piece("`measure`, 1 KB", micros(lambda: measure(request, policy)), "µs"),
        Piece("`measure`, 4 KB", micros(lambda: measure(large, policy)), "µs", at_most=200),
        Piece("`decide`", micros(lambda: decide(policy, fleet, request, signals)), "µs", at_most=20),
        Piece(f"`judge`, {len(checks)} checks", micros(lambda: judge(checks, answer)), "µs"),
    ]


def ledger_pieces(requests: int, seconds: float) -> list[Piece]:
    """The ledger: what a request costs the event loop, and what it takes without losing any."""
    with tempfile.TemporaryDirectory() as folder:
        outcomes = outcomes_of(list(plain(4_000)), requests)
        most, cpu, lost_at_most, _ = measure_throughput(folder, "most.db", outcomes)
        _, _, put, achieved, lost = measure_loop(folder, outcomes, RATE, seconds)
    return [
        Piece("ledger: `put`, on the event loop", put, "µs"),
        Piece("ledger: CPU time a request, all threads, one attempt each", cpu, "µs"),
        Piece("ledger: most that it takes", most, "requests/s", at_least=RATE),
        Piece(
            f"ledger: lost at {achieved:,.0f} requests/s", float(lost + lost_at_most), "requests", at_most=0
        ),
    ]


def all_pieces(requests: int, seconds: float) -> list[Piece]:
    """Everything in the second table.

    Args:
        requests: that the ledger is filled with.
        seconds: that it is kept at `RATE` requests a second.
    """
    config = parse_config(gates.HEADGATE.format(port=0, engine=1, folder="."), None)
    return [*pure_pieces(config), *ledger_pieces(requests, seconds)]
