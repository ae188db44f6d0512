"""Questions with a probability for an answer, as OpenAI's Decisions API answers them: yes or no, one of several, or a level.

It does not know how they are sent (`wire.upstream.decisions`) or what is done with a probability.
"""

from collections.abc import Mapping

from msgspec import Struct

from headgate.core.types import Message, Usage


class Predicate(Struct, frozen=True, gc=False):
    """Is something so? The answer is a probability."""

    instructions: str
    name: str = ""


class Choice(Struct, frozen=True, gc=False):
    """Which of 2 to 255 values? Each has a description, "" for none."""

    instructions: str
    choices: Mapping[str, str]
    name: str = ""


class Score(Struct, frozen=True, gc=False):
    """Which of 2 to 10 levels, from the lowest on? Each has a description, "" for none."""

    instructions: str
    levels: Mapping[str, str]
    name: str = ""


Question = Predicate | Choice | Score


class Questions(Struct, frozen=True, gc=False):
    """Up to 200 questions about one input."""

    input: str | tuple[Message, ...]
    questions: tuple[Question, ...]


class Answered(Struct, frozen=True, gc=False):
    """One question's answer."""

    probabilities: Mapping[str, float]
    """Of a predicate, that of "yes"; of the others, those of the values or levels."""
    chosen: str = ""
    """The value or level with the highest; "" of a predicate."""
    refused: bool = False


class Decided(Struct, frozen=True, gc=False):
    """The answers, in the order of the questions."""

    answers: tuple[Answered, ...]
    model: str
    usage: Usage
    seconds: float = 0.0
