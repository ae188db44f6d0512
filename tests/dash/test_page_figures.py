"""Figures are written by the same rules on the page as in every report, to the last cent."""

import random

from headgate.reports import shown

AMOUNTS = [
    0.0,
    0.00001,
    0.00005,
    0.0123456,
    0.125,
    0.1734,
    1.0,
    9.99995,
    10.125,
    10.375,
    12.5,
    932.64,
    1219.04,
    1234567.895,
    -0.00001,
    -4.56789,
    None,
]
SECONDS = [0.0, 0.0004, 0.0005, 0.0015, 0.0025, 0.32, 0.9995, 9.9996, 10.0, 12.25, 12.35, 125.65, None]
SHARES = [0.0, 0.08, 0.2694, 0.26949, 0.0005, 0.00125, 0.99999, 1.0, None]

WRITE = """async ([amounts, seconds, shares]) => {
  const script = document.querySelector("script[type=module]").src.replace("app.js", "lib/format.js");
  const format = await import(script);
  return {
    dollars: amounts.map(format.dollars),
    fine: amounts.map(format.fineDollars),
    durations: seconds.map(format.duration),
    shares: shares.map((share) => format.percent(share)),
  };
}"""


def test_money_times_and_shares_look_as_they_do_in_the_report(empty_gate, visit):
    chance = random.Random(7)
    amounts = (
        AMOUNTS
        + [round(chance.uniform(-5, 20), 9) for _ in range(300)]
        + [chance.randrange(4000) / 32 for _ in range(300)]
    )
    seconds = SECONDS + [chance.uniform(0, 30) for _ in range(200)] + [i / 16 for i in range(400)]
    shares = SHARES + [chance.random() for _ in range(200)] + [i / 1024 for i in range(400)]
    written = visit(empty_gate).go("overview").evaluate(WRITE, [amounts, seconds, shares])
    assert written == {
        "dollars": [shown.dollars(amount) for amount in amounts],
        "fine": [shown.fine_dollars(amount) for amount in amounts],
        "durations": [shown.milliseconds(value) for value in seconds],
        "shares": [shown.percent(share) for share in shares],
    }
