"""The search for settings, over a record of which it is known what each line of the page saves and what quality it takes."""

import pytest
from msgspec.structs import replace

from headgate.core.bounds import deviations
from headgate.core.candidates import Seen
from headgate.core.effects import ERROR
from headgate.core.losses import AS_IT_IS
from headgate.core.proposals import Proposal, Refusal
from headgate.core.searching import Search
from headgate.core.settings import Setting, differences
from headgate.core.spans import Span
from headgate.core.sums import Effect, Glance
from tuning_world import TODAY

LONGER = Setting("routes.long", "tokens_over", 4500)
STRICTER = Setting("routes.code", "pass_at", 0.65)
PAID = 10.0


class Lines:
    """A part of a record.

    Args:
        quality: under today's settings.
        lines: by the lines that are changed, dollars and quality more.
        doubt: one standard deviation of quality.
    """

    today = TODAY

    def __init__(self, quality, lines, doubt=0.0):
        self.quality, self.lines, self.doubt = quality, lines, doubt

    def figures(self, policy):
        changed = differences(TODAY, policy)
        told = [self.lines.get(one, (5.0, -0.5)) for one in changed]  # any other line is bad in every way
        return sum(dollars for dollars, _ in told), self.quality + sum(quality for _, quality in told)

    def glance(self, policy, error=ERROR, evidence=AS_IT_IS):
        dollars, quality = self.figures(policy)
        return Glance(PAID, dollars, quality, quality - deviations(error) * self.doubt / evidence.audits**0.5)

    def effect(self, policy, error=ERROR):
        dollars, quality = self.figures(policy)
        slack = deviations(error) * self.doubt
        return Effect(
            requests=1000,
            weeks=1.0,
            home_before=0.5,
            home=Span(0.5, 0.5, 0.5),
            dollars_before=PAID,
            dollars=Span(dollars, dollars, dollars),
            quality=Span(quality - slack, quality, quality + slack),
            moved=100,
            modelled=0,
            audits=200,
            audits_moved=50,
            unpriced=0,
        )


def search(finding, judging=None, avoid=frozenset()):
    return Search(finding, judging or finding, TODAY, floor=0.98, seen=Seen(), avoid=avoid)


def cheaper(finding, judging=None, **more):
    judging = judging or finding
    return search(finding, judging, **more).cheaper(judging.effect(TODAY))


def test_a_step_that_breaks_the_floor_is_paid_for_by_one_that_brings_more_for_less():
    lines = {LONGER: (-2.0, -0.002), STRICTER: (0.3, 0.0018)}
    found = cheaper(Lines(0.9805, lines))
    assert set(found.settings) == {LONGER, STRICTER}
    assert found.judged.dollars.expected == pytest.approx(-1.7)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ({LONGER: (-2.0, -0.002), STRICTER: (2.1, 0.0018)}, "it costs more than it allows to save"),
        ({LONGER: (-2.0, -0.002), STRICTER: (0.3, 0.0001)}, "it does not bring enough"),
    ],
)
def test_nothing_is_traded_for_less_than_it_is_worth(lines, why):
    found = cheaper(Lines(0.9805, lines))
    assert isinstance(found, Refusal), why
    assert found.reason == "nothing better"


def test_nothing_that_was_taken_back_is_traded_either():
    lines = {LONGER: (-2.0, -0.002), STRICTER: (0.3, 0.0018)}
    assert isinstance(cheaper(Lines(0.9805, lines), avoid=frozenset({STRICTER})), Refusal)


def test_cautious_settings_are_judged_first_so_that_bold_ones_do_not_end_it():
    """With little caution a second line seems worth it; the judging part forbids that, and still the first one is proposed."""
    other = Setting("routes.rest", "pass_at", 0.55)
    lines = {LONGER: (-2.0, -0.0005), other: (-1.0, -0.0012)}
    finding = Lines(0.983, lines, doubt=0.001)
    bold = search(finding).path(TODAY, search(finding).worth_it, 0.2)
    assert len(differences(TODAY, bold[-1])) == 2
    found = cheaper(finding, Lines(0.982, lines, doubt=0.0005))
    assert found.settings == (LONGER,)


def test_the_cheapest_of_those_that_hold_is_proposed():
    lines = {LONGER: (-2.0, -0.001), STRICTER: (-1.0, -0.002)}
    assert set(cheaper(Lines(0.985, lines, doubt=0.0005)).settings) == {LONGER, STRICTER}
    assert cheaper(Lines(0.9818, lines, doubt=0.0001)).settings == (LONGER,)


def test_what_mends_the_floor_is_looked_for_as_long_as_it_is_not_sure():
    lines = {STRICTER: (0.3, 0.004)}
    part = Lines(0.977, lines, doubt=0.0001)
    found = search(part).safer(part.effect(TODAY), surely=True)
    assert isinstance(found, Proposal)
    assert (found.aim, found.settings) == ("safer", (STRICTER,))
    enough = replace(part.effect(TODAY), quality=Span(0.981, 0.982, 0.983))
    assert isinstance(search(Lines(0.982, lines)).safer(enough, surely=True), Refusal)


def test_what_is_likelier_broken_than_not_is_mended_until_it_is_likelier_whole_and_no_further():
    other = Setting("routes.rest", "pass_at", 0.55)
    part = Lines(0.979, {STRICTER: (0.3, 0.002), other: (0.5, 0.003)}, doubt=0.003)
    now = part.effect(TODAY)
    found = search(part).safer(now, surely=False)
    assert found.settings == (STRICTER,)
    assert found.judged.quality.low < 0.98 <= found.judged.quality.expected
    assert set(search(part).safer(now, surely=True).settings) == {STRICTER, other}


def test_of_two_ways_back_that_nobody_is_sure_of_the_one_that_likelier_holds_the_floor_is_proposed():
    """The older part knows a way that falls short; what is seen lately knows another that does not, and of which less is sure."""

    class Lately(Lines):
        def effect(self, policy, error=ERROR):
            told = super().effect(policy, error)
            slack = 0.004 if other in differences(TODAY, policy) else 0.0
            return replace(told, quality=replace(told.quality, low=told.quality.low - slack))

    other = Setting("routes.rest", "pass_at", 0.55)
    older = Lines(0.979, {STRICTER: (0.1, 0.0011), other: (0.5, -0.001)}, doubt=0.0001)
    newer = Lately(0.979, {STRICTER: (0.6, 0.0005), other: (0.2, 0.0015)}, doubt=0.0001)
    found = search(older, newer).safer(newer.effect(TODAY), surely=False)
    assert found.settings == (other,)
    assert found.judged.quality.low < 0.979
    assert found.judged.quality.expected >= 0.98


def test_where_less_of_the_error_is_left_the_floor_has_to_be_surer():
    part = Lines(0.983, {LONGER: (-2.0, -0.001)}, doubt=0.001)
    for error, holds in ((ERROR, True), (ERROR / 5, False)):
        found = Search(part, part, TODAY, floor=0.98, seen=Seen(), error=error).cheaper(part.effect(TODAY))
        assert isinstance(found, Proposal) == holds


def test_a_page_is_not_changed_for_a_little():
    assert isinstance(cheaper(Lines(0.99, {LONGER: (-0.01 * PAID, 0.0)})), Refusal)
    assert isinstance(cheaper(Lines(0.99, {LONGER: (-0.02 * PAID, 0.0)})), Proposal)
