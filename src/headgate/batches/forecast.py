"""What a batch would cost and take, before any model is asked: items × tokens × what is known of the models.

    Load (items, tokens) + Hands (models, in the order in which they are tried) → Forecast

How many items a later model gets is the least certain figure, so it is a range unless something was measured: the results that
there are, or the trial of the model before. What is unknown stays so. It reads no file and knows no clock.
"""

from collections.abc import Sequence

from msgspec import Struct

from headgate.core.cards import Card
from headgate.core.parts import WHOLE
from headgate.core.prices import TYPICAL_ANSWER, cost
from headgate.core.subagent import Agent
from headgate.core.trials import Trial
from headgate.core.types import Model, Usage

LABEL = 12
"""Tokens assumed for an answer that is a label."""
OBJECT = 120
"""Tokens assumed for an answer that fits a schema."""
ENOUGH = 20
"""Results or tests from which a share is taken."""


class Load(Struct, frozen=True, kw_only=True):
    """What is to be answered."""

    items: int
    tokens_in: int
    """Of all items together, with what the agent is told."""
    tokens_out: int
    """Of one answer, at most as it seems."""


class Hand(Struct, frozen=True, kw_only=True):
    """A model that may answer, and what was measured of it."""

    model: Model
    card: Card | None = None
    trial: Trial | None = None
    """Of the agent, with this model."""
    reached: float | None = None
    """The share of the items that came to it so far; None where too few were answered."""


class Line(Struct, frozen=True, kw_only=True):
    """One model's part: the least and the most. Dollars and seconds; None is unknown."""

    model: str
    local: bool
    items: tuple[int, int]
    cost: tuple[float, float] | None
    seconds: tuple[float, float] | None
    rests_on: tuple[str, ...]


class Forecast(Struct, frozen=True, kw_only=True):
    """What a batch would cost and take."""

    lines: tuple[Line, ...]

    @property
    def cost(self) -> tuple[float, float] | None:
        """Dollars, the least and the most; None where a model that may be asked has no known price."""
        known = [line.cost for line in self.lines if line.items[1]]
        if None in known:
            return None
        return sum(one[0] for one in known if one), sum(one[1] for one in known if one)

    @property
    def seconds(self) -> tuple[float, float] | None:
        """Seconds, if all models work side by side: those of the slowest that was measured. None where none was."""
        known = [line.seconds for line in self.lines if line.seconds is not None]
        return (max(one[0] for one in known), max(one[1] for one in known)) if known else None

    @property
    def all_timed(self) -> bool:
        """Whether the speed of every model that may be asked is known; else it takes at least `seconds`."""
        return all(line.seconds is not None for line in self.lines if line.items[1])


def forecast(load: Load, hands: Sequence[Hand], at_once: int) -> Forecast:
    """Each model's part.

    Args:
        load: what is to be answered.
        hands: who may answer, in the order in which they are tried.
        at_once: items under way at a time.
    """
    lines: list[Line] = []
    low = high = 1.0
    why = "asked first"
    for hand in hands:
        if hand.reached is not None:
            low = high = hand.reached
            why = f"{hand.reached:.0%} of the results so far came to it" if lines else why
        items = round(low * load.items), round(high * load.items)
        lines.append(line_of(hand, load, items, at_once, why))
        low, high, why = after(hand, low, high)
    return Forecast(lines=tuple(lines))


def after(hand: Hand, low: float, high: float) -> tuple[float, float, str]:
    """The share of the items that goes on to the next model, and why one thinks so."""
    trial, name = hand.trial, hand.model.name
    if trial is None or trial.accuracy is None or trial.n < ENOUGH:
        return 0.0, high, f"nobody knows how many {name} leaves over"
    wrong = 1 - trial.accuracy
    return low * wrong, high * wrong, f"{name} was wrong in {wrong:.0%} of {trial.n} tests"


def line_of(hand: Hand, load: Load, items: tuple[int, int], at_once: int, why: str) -> Line:
    """One model's part of the items."""
    model, each = hand.model, load.tokens_in / load.items if load.items else 0.0
    usage = Usage(input=round(each), output=load.tokens_out, estimated=WHOLE)
    price = cost(usage, model.price)
    pace, paced = seconds_each(hand, each, load.tokens_out, at_once)
    return Line(
        model=model.name,
        local=model.local,
        items=items,
        cost=None if price is None else (items[0] * price, items[1] * price),
        seconds=None if pace is None else (items[0] * pace, items[1] * pace),
        rests_on=(why, paced, *([] if price is not None else ["its price is unknown"])),
    )


def seconds_each(hand: Hand, tokens_in: float, tokens_out: int, at_once: int) -> tuple[float | None, str]:
    """Seconds by which one more item makes the batch longer, and how that is known."""
    card, trial = hand.card, hand.trial
    if card is not None and card.speed:
        together = card.speed_parallel if min(at_once, card.parallel) > 1 else None
        writing = together or card.speed
        if card.prompt_speed is None:
            return tokens_out / writing, f"its card: {writing:,.0f} tokens/s written, reading not measured"
        said = f"its card: {card.prompt_speed:,.0f} tokens/s read, {writing:,.0f} written"
        return tokens_in / card.prompt_speed + tokens_out / writing, said
    if trial is not None and trial.n:
        return trial.seconds / at_once, f"its trial: {trial.seconds:.2f} s for a test"
    if hand.model.local:
        return None, f"not measured: headgate models bench {hand.model.name}"
    return None, "its speed was not measured"


def answer_tokens(agent: Agent) -> int:
    """Tokens that an answer of this agent has, as it seems."""
    likely = OBJECT if agent.schema is not None else LABEL if agent.labels else TYPICAL_ANSWER
    return min(likely, agent.max_tokens or likely)
