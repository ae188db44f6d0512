"""Whose turn it is, without engines."""

from headgate.fleet.turns import AGED, MANY_CALLERS, Clocks, Ticket, Waiting, may_wait, rank


def ticket(number, caller, *, batch=False, arrived=0.0, deadline=600.0):
    return Ticket(id=number, lane="a", caller=caller, batch=batch, arrived=arrived, deadline=deadline)


def queue(*tickets):
    waiting, clocks = Waiting(), Clocks()
    for each in tickets:
        waiting.add(each)
        clocks.come(each.party)
    return waiting, clocks


def serve_all(waiting, clocks, now=0.0, seconds=1.0):
    """The callers in the order in which they are served."""
    order = []
    while (following := waiting.next(clocks, now)) is not None:
        waiting.remove(following)
        clocks.charge(following.party, seconds)
        clocks.go(following.party)
        order.append(following.caller)
    return order


def test_one_callers_requests_are_served_in_the_order_in_which_they_came():
    waiting, clocks = queue(*[ticket(number, "ann") for number in range(5)])
    first = waiting.next(clocks, 0.0)
    assert first is not None
    assert first.id == 0
    assert [each.id for each in waiting] == [0, 1, 2, 3, 4]


def test_callers_take_turns():
    waiting, clocks = queue(
        *[ticket(number, "ann") for number in range(3)], ticket(7, "bob"), ticket(8, "bob")
    )
    assert serve_all(waiting, clocks) == ["ann", "bob", "ann", "bob", "ann"]


def test_whoever_costs_more_gets_fewer_turns():
    waiting, clocks = queue(*[ticket(number, "ann") for number in range(3)], *[ticket(9, "bob")] * 3)
    clocks.charge((False, "ann"), 2.5)
    assert serve_all(waiting, clocks) == ["bob", "bob", "bob", "ann", "ann", "ann"]


def test_a_newcomers_clock_shows_what_the_one_who_had_least_shows():
    _, clocks = queue(ticket(1, "ann"), ticket(2, "bob"))
    clocks.charge((False, "ann"), 9.0)
    clocks.charge((False, "bob"), 5.0)
    assert clocks.of((False, "new")) == 5.0
    assert clocks.of((False, "ann")) == 9.0


def test_the_clocks_of_those_who_had_more_are_kept_while_others_wait():
    _, clocks = queue(ticket(1, "ann"), ticket(2, "bob"))
    clocks.charge((False, "ann"), 9.0)
    clocks.go((False, "ann"))
    assert clocks.of((False, "ann")) == 9.0
    clocks.go((False, "bob"))
    assert clocks.of((False, "ann")) == 0.0


def test_callers_who_are_behind_are_forgotten_when_there_are_many():
    clocks = Clocks()
    clocks.come((False, "patient"))
    for number in range(MANY_CALLERS + 1):
        clocks.come((False, f"caller {number}"))
        clocks.go((False, f"caller {number}"))
    clocks.charge((False, "patient"), 1.0)
    clocks.come((False, "last"))
    clocks.go((False, "last"))
    assert len(clocks._served) < 10


def test_a_batch_is_served_like_people_once_it_has_waited_long():
    batch = ticket(1, "night", batch=True)
    assert may_wait(batch, AGED - 1)
    assert not may_wait(batch, AGED)
    assert not may_wait(ticket(2, "ann"), 0.0)


def test_people_then_who_had_least_then_the_deadline_then_the_arrival():
    _, clocks = queue(ticket(1, "hog"), ticket(2, "ann"))
    clocks.charge((False, "hog"), 5.0)
    in_order = [
        ticket(1, "ann", deadline=10.0, arrived=4.0),
        ticket(2, "ann", deadline=90.0, arrived=1.0),
        ticket(3, "ann", deadline=90.0, arrived=2.0),
        ticket(4, "hog", deadline=1.0),
        ticket(5, "ann", batch=True, deadline=1.0),
    ]
    assert sorted(in_order, key=lambda each: rank(each, clocks, 5.0)) == in_order


def test_a_request_that_does_not_wait_cannot_be_taken_out():
    waiting, _ = queue(ticket(1, "ann"))
    assert not waiting.remove(ticket(2, "ann"))
    assert not waiting.remove(ticket(1, "bob"))
    assert waiting.remove(ticket(1, "ann"))
    assert not waiting
    assert len(waiting) == 0


def test_who_is_ahead_of_a_newcomer_goes_by_turns_and_not_by_arrival():
    waiting, clocks = queue(*[ticket(number, "hog") for number in range(50)], ticket(60, "ann"))
    newcomer = ticket(99, "new")
    assert waiting.ahead_of(newcomer, clocks, 1.0, 0.0, 0.0) == 2  # one of the hog's, and ann's
    assert waiting.ahead_of(ticket(99, "hog"), clocks, 1.0, 0.0, 0.0) == 51
    clocks.charge((False, "hog"), 3.0)
    assert waiting.ahead_of(newcomer, clocks, 1.0, 0.0, 0.0) == 1


def test_who_has_asked_for_much_is_overtaken_by_those_who_come_meanwhile_but_not_by_more():
    waiting, clocks = queue(
        *[ticket(number, "hog") for number in range(10)], ticket(60, "ann"), ticket(61, "bob")
    )
    ahead = [waiting.ahead_of(ticket(99, "hog"), clocks, 1.0, use, 0.0) for use in (0.0, 0.25, 0.5, 0.9, 1.0)]
    assert ahead == [12, 16, 24, 32, 32]  # ten of his own, and in eleven turns at most ann and bob
    assert waiting.ahead_of(ticket(99, "new"), clocks, 1.0, 1.0, 0.0) == 3


def test_people_are_ahead_of_a_batch_and_a_batch_is_not_ahead_of_people():
    waiting, clocks = queue(ticket(1, "ann"), ticket(2, "ann"), *[ticket(9, "night", batch=True)] * 20)
    assert waiting.ahead_of(ticket(99, "new"), clocks, 1.0, 0.0, 0.0) == 1
    assert (
        waiting.ahead_of(ticket(99, "other", batch=True), clocks, 1.0, 0.0, 0.0) == 3
    )  # two people, and one of the batch
    assert waiting.ahead_of(ticket(99, "new"), clocks, 1.0, 0.0, AGED) == 2
