"""Whatever happens, in whatever order: no promise of the scheduler is broken, and no request is lost or stuck."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from played_engine import PlayedEngine, lane

LANES = (
    lane("small", memory=8),
    lane("code", memory=9, slots=2),
    lane("notes", weights="long-context", context=8000, memory=7),
    lane("books", weights="long-context", context=32000, memory=14),
    lane("sorting", engine="other", memory=5, slots=1, load_seconds=1.0),
    lane("paid", engine="other", pool=None),
)
MEMORY = 20
LONGEST = 40_000.0
"""Seconds in which all that was asked here can be served, a batch's patience and all pauses included."""


class AnyCourse(RuleBasedStateMachine):
    """`PlayedEngine` asserts the invariants at each step: slots, memory, one load at a time, nothing unloaded that answers."""

    def __init__(self):
        super().__init__()
        self.engine = PlayedEngine(*LANES, slots=5, memory=MEMORY, service=3.0)

    @rule(
        name=st.sampled_from([facts.name for facts in LANES]),
        caller=st.sampled_from(["ann", "bob", "night"]),
        batch=st.booleans(),
        within=st.sampled_from([1.0, 20.0, 600.0]),
        times=st.sampled_from([1, 1, 1, 6]),
    )
    def ask(self, name, caller, batch, within, times):
        for _ in range(times):
            self.engine.ask(name, caller, batch=batch, within=within)

    @rule(seconds=st.sampled_from([0.0, 0.5, 3.0, 4.0, 30.0, 300.0, 700.0]))
    def pass_time(self, seconds):
        self.engine.until(self.engine.now + seconds)

    @precondition(lambda self: self.engine.waiting)
    @rule(which=st.integers(0, 10_000))
    def hang_up(self, which):
        waiting = sorted(self.engine.waiting)
        self.engine.withdraw(waiting[which % len(waiting)])

    @rule(name=st.sampled_from([facts.name for facts in LANES]))
    def break_the_next_load(self, name):
        self.engine.failing[name] = "broken"

    @precondition(lambda self: self.idle_models())
    @rule(which=st.integers(0, 10))
    def unload_by_itself(self, which):
        idle = self.idle_models()
        self.engine.drop(idle[which % len(idle)])
        self.engine.look()

    @rule(memory=st.integers(0, MEMORY))
    def load_something_of_others(self, memory):
        self.engine.foreign = min(memory, MEMORY - self.engine.taken("card"))
        self.engine.look()

    @rule(engine=st.sampled_from(["home", "other"]))
    def go_or_come_back(self, engine):
        if engine in self.engine.away:
            self.engine.come_back(engine)
        else:
            self.engine.vanish(engine)

    @rule()
    def look(self):
        self.engine.look()

    @rule(name=st.sampled_from([facts.name for facts in LANES]), batch=st.booleans())
    def foretell(self, name, batch):
        expected = self.engine.scheduler.expected_wait(name, "kim", self.engine.now, batch=batch)
        assert 0.0 <= expected < LONGEST

    @invariant()
    def each_request_is_somewhere_once(self):
        engine = self.engine
        assert not set(engine.started) & set(engine.refused)
        assert not engine.waiting & (set(engine.started) | set(engine.refused))
        queued = {ticket.id for each in engine.scheduler.lanes.values() for ticket in each.waiting}
        assert queued == engine.waiting

    def teardown(self):
        self.engine.failing.clear()
        for engine in tuple(self.engine.away):
            self.engine.come_back(engine)
        self.engine.until(self.engine.now + LONGEST)
        assert not self.engine.waiting, "somebody waits for ever"
        assert not any(self.engine.running.values())
        assert not self.engine.scheduler.swaps

    def idle_models(self):
        """What an engine may unload by itself."""
        return sorted(
            name
            for name in self.engine.here
            if self.engine.facts[name].pool and not self.engine.running[name]
        )


TestAnyCourse = AnyCourse.TestCase
TestAnyCourse.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
