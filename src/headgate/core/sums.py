"""What is added up, kind by kind, when settings are weighed: requests at home, money, and what audits tell of quality.

    sums = Sums();   sums.add(past, went, in_force, errors) ...;   sums.effect(whole, errors, error) → Effect

Where requests go is decided elsewhere (`effects`). Money is what settings cost more, or fewer, than those in force, for the same requests:
these are not always those that were in force when the requests came.
"""

from collections.abc import Iterable

from msgspec import Struct

from headgate.core.bounds import Sample
from headgate.core.losses import Evidence, JudgeErrors, Side, expected_losses, least_lost, most_lost, span_of
from headgate.core.past import Found, Past
from headgate.core.spans import Span


class Whole(Struct, frozen=True):
    """A part of the record, whatever the settings."""

    requests: int
    weeks: float
    dollars: float
    """A week, under the settings in force, as is expected."""
    unpriced: int = 0
    """Requests whose cost is unknown, and not in the dollars."""


class Effect(Struct, frozen=True, kw_only=True):
    """What some settings come to, as one part of the record says. Ends are one-sided 95 % bounds each."""

    requests: int
    """Answered, without what was embedded."""
    weeks: float
    home_before: float
    """Share of requests answered at home as it is recorded, 0-1."""
    home: Span
    """The same under these settings."""
    dollars_before: float
    """A week, under the settings in force, as is expected and as far as costs are known."""
    dollars: Span
    """A week, more than that or (below zero) fewer. Cash: what is paid to providers, without energy."""
    quality: Span
    """Under these settings, 0-1."""
    moved: int
    """Requests that may be answered by another model than under the settings in force."""
    modelled: int
    """Of these: nobody has seen what the other model answers, and audits stand for them."""
    audits: int
    """Audits that it rests on."""
    audits_moved: int
    """Of these: of requests that may be answered by another model."""
    unpriced: int
    """Of those that move: what they cost, or would cost, is unknown, and not in the dollars."""
    unpriced_before: int = 0
    """Of all: what they cost under the settings in force is unknown, and not in the dollars."""


class Glance(Struct, frozen=True, gc=False):
    """An effect in short."""

    dollars_before: float
    """A week, under the settings in force."""
    dollars: float
    """A week, more than that or (below zero) fewer, as is expected."""
    quality: float
    """As is expected, 0-1."""
    least: float
    """Its lower bound."""


class Went(Struct, frozen=True, gc=False):
    """Where the requests of one kind go."""

    model: str = ""
    """Who answers; where they may come home, who does as long as none does."""
    home: bool = False
    """At home: surely, or perhaps where nobody has seen it."""
    sure: bool = True
    """Whether it is recorded, or else a matter of no chance."""
    same: bool = True
    """Whether the same model answers as is recorded."""
    told: bool = True
    """Whether anybody can tell; if not, it is as it was recorded."""
    dollars: float | None = 0.0
    """What they cost together; where they may come home, what they cost as long as none does. None is unknown."""
    audits: tuple[tuple[Found, bool], ...] = ()
    """The audits that tell how good it is, and whether their answer goes out."""
    others: tuple[Found, ...] = ()
    """Audits of which nobody knows whether an answer from home goes out, or how good that one is."""

    @property
    def end(self) -> object:
        """What makes requests end alike, whatever they cost."""
        return self.model if self.sure else (self.model, self.audits, self.others)

    def coming(self, *, others: bool) -> dict[int, tuple[Found, bool]]:
        """Of requests that may come home: the audits, by identity, and whether they say so; `others` is what is said by those that do not tell."""
        if self.sure:
            return {}
        told = {id(found): (found, goes_out) for found, goes_out in self.audits}
        return told | {id(found): (found, others) for found in self.others}


class Money:
    """What some settings cost more than others, of requests that go otherwise under these: being added up.

    Those that nobody has seen at home cost what they cost as long as none comes home, less what is saved as far as they do: of that
    audits tell, under both settings. Where an audit does not, the new settings bring nothing home, and those that they are compared with do.
    """

    __slots__ = ("gained", "gained_of", "lost", "lost_of", "surely")

    def __init__(self) -> None:
        self.surely = self.gained_of = self.lost_of = 0.0
        self.gained, self.lost = Sample(), Sample()

    def add(self, many: int, went: Went, before: Went) -> None:
        """Requests of which the dollars are known under both settings.

        Args:
            many: how many they are.
            went: where they go.
            before: where they go under the settings that they are compared with.
        """
        if went == before:
            return
        new, old = went.dollars or 0.0, before.dollars or 0.0
        self.surely += new - old
        come, came = went.coming(others=False), before.coming(others=True)
        if come.keys() == came.keys() and new == old:  # only what differs is in doubt
            both = [(found, does, came[key][1]) for key, (found, does) in come.items()]
            gained = [(found, does and not did) for found, does, did in both]
            lost = [(found, did and not does) for found, does, did in both]
        else:
            gained, lost = list(come.values()), list(came.values())
        if not went.sure:
            self.gained_of += new
            add_audits(self.gained, gained, new / many)
        if not before.sure:
            self.lost_of += old
            add_audits(self.lost, lost, old / many)

    def take(self, other: "Money") -> None:
        """All of another one."""
        self.surely += other.surely
        self.gained_of += other.gained_of
        self.lost_of += other.lost_of
        self.gained.take(other.gained)
        self.lost.take(other.lost)

    @property
    def expected(self) -> float:
        """Dollars."""
        return (
            self.surely - self.gained.share().share * self.gained_of + self.lost.share().share * self.lost_of
        )

    def span(self, error: float) -> Span:
        """Dollars, with a one-sided bound at each end."""
        gained, lost = (
            span_of(sample.share(), of, error)
            for sample, of in ((self.gained, self.gained_of), (self.lost, self.lost_of))
        )
        return Span(
            self.surely - gained.high + lost.low,
            self.surely - gained.expected + lost.expected,
            self.surely - gained.low + lost.high,
        )


def add_audits(sample: Sample, audits: Iterable[tuple[Found, bool]], size: float) -> None:
    """Add those that chance chose, and whether they are what is counted; `size` is what one of the requests weighs."""
    for found, hit in audits:
        if found.by_chance:
            sample.add(found, hit, size)


class Sums:
    """What is added up, kind by kind."""

    def __init__(self) -> None:
        self.home_before = self.home = self.moved = self.modelled = self.audits_moved = self.unpriced = 0
        self.money = Money()
        self.stays, self.comes, self.perhaps = Side("local"), Side("fallback"), Side("fallback")
        self.perhaps_home = Sample()

    def add(self, one: Past, went: Went, in_force: Went, errors: JudgeErrors, *, was_home: bool) -> None:
        """The requests of one kind; `in_force` is where they go under the settings in force."""
        many, moved = one.requests, went.end != in_force.end
        self.home_before += many * was_home
        self.moved += many * moved
        priced = None not in (one.cost, went.dollars, in_force.dollars)
        if priced and went.told and in_force.told:
            self.money.add(many, went, in_force)
        else:
            self.unpriced += many * moved
        if not went.home:
            return
        side = self.perhaps if not went.sure else self.stays if was_home and went.same else self.comes
        audits = side.audits
        side.add(many, one.example.signals.task or "", went.audits, errors)
        self.audits_moved += (side.audits - audits) * moved
        if went.sure:
            self.home += many
            return
        self.modelled += many * moved
        add_audits(self.perhaps_home, went.coming(others=False).values(), 1.0)

    def take(self, other: "Sums") -> None:
        """All of another one."""
        self.home_before += other.home_before
        self.home += other.home
        self.moved += other.moved
        self.modelled += other.modelled
        self.audits_moved += other.audits_moved
        self.unpriced += other.unpriced
        self.money.take(other.money)
        for own, its in zip(self.sides, other.sides, strict=True):
            if its.requests:
                own.take(its)
        self.perhaps_home.take(other.perhaps_home)

    @property
    def sides(self) -> tuple[Side, Side, Side]:
        """Requests that stay at home, that come there, and that may."""
        return self.stays, self.comes, self.perhaps

    def effect(self, whole: Whole, errors: JudgeErrors, error: float) -> Effect:
        """All that was added."""
        many, weeks = max(whole.requests, 1), whole.weeks
        expected = expected_losses(self.sides, errors)
        most, least = (told(self.sides, errors, error) for told in (most_lost, least_lost))
        home = span_of(self.perhaps_home.share(), self.perhaps.requests, error)
        dollars = self.money.span(error)
        return Effect(
            requests=whole.requests,
            weeks=weeks,
            home_before=self.home_before / many,
            home=Span(*[(self.home + end) / many for end in (home.low, home.expected, home.high)]),
            dollars_before=whole.dollars,
            dollars=Span(*[end / weeks for end in (dollars.low, dollars.expected, dollars.high)]),
            quality=Span(max(0.0, 1 - most / many), 1 - expected / many, min(1.0, 1 - least / many)),
            moved=self.moved,
            modelled=self.modelled,
            audits=sum([side.audits for side in self.sides]),
            audits_moved=self.audits_moved,
            unpriced=self.unpriced,
            unpriced_before=whole.unpriced,
        )

    def glance(self, whole: Whole, errors: JudgeErrors, error: float, evidence: Evidence) -> Glance:
        """All that was added, in short."""
        many = max(whole.requests, 1)
        return Glance(
            dollars_before=whole.dollars,
            dollars=self.money.expected / whole.weeks,
            quality=1 - expected_losses(self.sides, errors) / many,
            least=1 - most_lost(self.sides, errors, error, evidence) / many,
        )
