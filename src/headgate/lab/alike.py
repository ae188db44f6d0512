"""Which requests a replay cannot tell apart, as SQL: the ledger's own engine groups a million rows in a few seconds.

    Alike(cuts, attempts=2).grouped → a SELECT with one row for each kind of requests: their sums, and what they have in common

What a row holds in columns is compared as it stands; lengths, scores and confidences by the cuts between which they lie; of a story the
part that most requests share. Every column costs time for each of the rows, so small figures are packed into one. Kinds that only
differ in the words of their stories are put together by whoever reads them (`past`).
"""

from collections.abc import Iterable, Sequence
from math import ceil

from headgate.core.past import LONG, SHORT, Cuts
from headgate.ledger.schema import CONFIDENCE, FINE

SUMS = 5
"""Columns that come first, before the sum of what each attempt cost and what the requests have in common."""

ASKED = 6
"""Columns of an audit, before the models of the attempts and what its request has in common."""

PROMPT = "(a.input + a.cache_read + a.cache_write_5m + a.cache_write_1h)"

RANGE = "r.n > ? AND r.n <= ? AND r.received >= ? AND r.received < ?"

OWN = """instr(substr(r.story, instr(r.story, ',"e":') + 5), ':')"""
"""Whether a story tells more of the request itself than the estimates, with which that part begins."""

TOLD = f"""CASE
    WHEN NOT instr(r.story, ',"e":') OR instr(r.story, '"k":') THEN r.story
    ELSE substr(r.story, 1, instr(r.story, ',"e":') - 1) || CASE WHEN NOT {OWN} THEN '}}' ELSE
        CASE WHEN instr(r.story, '"s":0') THEN ',"s":0' WHEN instr(r.story, '"s":') THEN ',"s":1' ELSE '' END ||
        iif(instr(r.story, '"l":'), ',' || substr(r.story, instr(r.story, '"l":')), '}}') END
END"""
"""A story without the estimates; of the dollars that may be spent, only whether there are any; whole where a conversation is kept."""


class Alike:
    """The statements for one piece of a ledger: after which number, up to which, since when and before when.

    Args:
        cuts: the figures at which decisions change.
        attempts: the most that any request had.
    """

    def __init__(self, cuts: Cuts, attempts: int) -> None:
        prompt, output = answering(PROMPT, attempts), answering("a.output", attempts)
        costs = [f"sum(a{i}.cost)" for i in range(attempts)]
        sums = ["min(r.n)", "count(*)", "max(r.tokens)", f"sum({prompt})", f"sum({output})", *costs]
        common = tuple(in_common(cuts, attempts))
        by = ", ".join([str(len(sums) + 1 + i) for i in range(len(common))])
        joins = " ".join(
            [
                f"LEFT JOIN attempts a{i} ON a{i}.request = r.n AND a{i}.position = {i}"
                for i in range(attempts)
            ]
        )
        audit = [
            "u.request",
            "u.verdict",
            "u.judge",
            "u.probability",
            "u.model",
            "u.score",
            *[f"a{i}.model" for i in range(attempts)],
        ]
        self.grouped = select([*sums, *common], f"requests r {joins}", f"GROUP BY {by}")
        """Sums, what each attempt cost, and what the requests have in common, the story last."""
        self.audits = select([*audit, *common], f"audits u JOIN requests r ON r.n = u.request {joins}")
        """Each audit, the model of each attempt of its request, and what that has in common."""


def select(columns: Iterable[str], tables: str, rest: str = "") -> str:
    """A statement over one piece."""
    return f"SELECT {', '.join(columns)} FROM {tables} WHERE {RANGE} {rest}"  # noqa: S608 - our own names and numbers


def in_common(cuts: Cuts, attempts: int) -> Iterable[str]:
    """What requests that are alike have in common."""
    edges = sorted({edge for cut in cuts.tokens for edge in (cut, cut + 1)})
    guessed = sorted({at_least(edge, factor) for edge in edges for factor in (1.0, SHORT, LONG)})
    confidences = [round(share * CONFIDENCE) for share in cuts.confidences]
    yield from ("r.route", "r.task", "r.task_by", "r.format", "r.status", "r.model", "r.answered")
    yield f"iif(r.tokens_exact, {between('r.tokens', edges)}, -1 - {between('r.tokens', guessed)})"
    flags = ("r.task_confidence > 0", "r.tools > 0", "r.images > 0", "r.local_only")
    packed = [f"{2**i} * ({flag})" for i, flag in enumerate(flags)]
    yield " + ".join([*packed, f"{2 ** len(flags)} * {between('r.task_confidence', confidences)}"])
    if cuts.languages:
        yield "r.language"
    yield between(answering(PROMPT, attempts), edges)
    for i in range(attempts):
        yield from attempt_in_common(i, cuts)
    yield TOLD


def attempt_in_common(i: int, cuts: Cuts) -> Iterable[str]:
    """What the i-th attempts of requests that are alike have in common: which of the earlier ones are better, too."""
    scores = between(f"a{i}.score", [round(score * FINE) for score in cuts.scores])
    flags = (
        f"a{i}.late",
        f"a{i}.cost IS NULL",
        f"""instr(ifnull(a{i}.story, ''), '"c":true') > 0""",
        *[f"ifnull(a{j}.score, 0) > ifnull(a{i}.score, 0)" for j in range(i)],
    )
    packed = [f"{2**k} * ({flag})" for k, flag in enumerate(flags)]
    yield f"a{i}.model"
    yield f"a{i}.failure"
    yield f"iif(a{i}.model IS NULL, NULL, {' + '.join([*packed, f'{2 ** len(flags)} * ifnull({scores}, -1)'])})"
    if cuts.verdicts:
        yield f"a{i}.story"


def between(figure: str, edges: Sequence[int]) -> str:
    """How many of these edges a figure has reached; NULL where there is no figure."""
    cases = [f"WHEN {figure} < {edge} THEN {reached}" for reached, edge in enumerate(edges)]
    return f"CASE {' '.join(cases)} WHEN {figure} IS NULL THEN NULL ELSE {len(edges)} END"


def at_least(edge: int, factor: float) -> int:
    """The least whole number of tokens that reaches an edge when it is multiplied so."""
    tokens = ceil(edge / factor)
    while (tokens - 1) * factor >= edge:
        tokens -= 1
    return tokens if tokens * factor >= edge else tokens + 1


def answering(figure: str, attempts: int) -> str:
    """A figure of the attempt that answered, which is written for the table "a"."""
    cases = [f"WHEN {i} THEN {figure.replace('a.', f'a{i}.')}" for i in range(attempts)]
    return f"CASE r.answered {' '.join(cases)} END" if cases else "NULL"
