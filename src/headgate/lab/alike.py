"""Which requests a replay cannot tell apart, as SQL: the ledger's own engine groups a million rows in a few seconds.

    Alike(cuts, attempts=2).grouped → a SELECT with one row for each kind of requests: their sums, and what they have in common

Lengths, scores and confidences are compared by the cuts between which they lie, words by their numbers; of a story the part that most
requests share. SQLite groups by sorting, and each column that it sorts costs time for each of the rows: so all that is a number is packed
into few integers, which nobody takes apart again. Kinds that only differ in the words of their stories are put together by whoever reads
them (`past`).
"""

from collections.abc import Iterable, Iterator, Sequence
from math import ceil

from headgate.core.past import LONG, SHORT, Cuts
from headgate.lab.pieces import LOWEST_OTHER
from headgate.ledger.units import CONFIDENCE, FINE

SUMS = 5
"""Columns that come first, before the sum of what each attempt cost and what the requests have in common."""

ASKED = 7
"""Columns of an audit, before the models of the attempts (0 is none) and what its request has in common."""

WORDS = 2**20
"""More than a ledger has words, or models: their numbers are below it."""

LARGEST = 2**63
"""Integers are below it."""

PROMPT = "(a.input + a.cache_read + a.cache_write_5m + a.cache_write_1h)"

RANGE = "r.n > ? AND r.n <= ? AND r.received >= ? AND r.received < ?"

ESTIMATES = """instr(r.story, ',"e":')"""
"""Where the part of a story that is the request's own begins: with the estimates. 0 is nowhere."""

OWN = """instr(substr(story, own + 5), ':')"""
"""Whether a story tells more of the request itself than the estimates."""

TOLD = f"""CASE
    WHEN NOT own OR instr(story, '"k":') THEN story
    ELSE substr(story, 1, own - 1) || CASE WHEN NOT {OWN} THEN '}}' ELSE
        CASE WHEN instr(story, '"s":0') THEN ',"s":0' WHEN instr(story, '"s":') THEN ',"s":1' ELSE '' END ||
        iif(instr(story, '"l":'), ',' || substr(story, instr(story, '"l":')), '}}') END
END"""
"""A story without the estimates; of the dollars that may be spent, only whether there are any; whole where a conversation is kept."""

Figure = tuple[str, int]
"""A whole number that is not negative, as SQL, and one that it is below."""


class Alike:
    """The statements for one piece of a ledger: after which number, up to which, since when and before when.

    Args:
        cuts: the figures at which decisions change.
        attempts: the most that any request had.
    """

    def __init__(self, cuts: Cuts, attempts: int) -> None:
        packed = pack(figures(cuts, attempts))
        keys = [f"key{i}" for i in range(len(packed))]
        stories = [f"story{i}" for i in range(attempts)] if cuts.verdicts else []
        costs = [f"cost{i}" for i in range(attempts)]
        models = [f"model{i}" for i in range(attempts)]
        of_request = [
            *[f"{figure} AS {key}" for (figure, _), key in zip(packed, keys, strict=True)],
            *[f"a{i}.story AS {story}" for i, story in enumerate(stories)],
            f"{answering(PROMPT, attempts)} AS prompt",
            "r.story",
            f"{ESTIMATES} AS own",
        ]
        summed = ["r.n", "r.tokens", f"{answering('a.output', attempts)} AS output"]
        summed += [f"a{i}.cost AS {cost}" for i, cost in enumerate(costs)]
        audit = ["u.request", "u.verdict", "u.judge", "u.probability", "u.model AS compared"]
        audit += ["u.score", "u.rejected"]
        audit += [f"ifnull(a{i}.model, 0) AS {model}" for i, model in enumerate(models)]
        length, _ = reached("prompt", edges_of(cuts))
        in_common = [*keys, f"{length} AS length", *stories, f"{TOLD} AS told"]
        common = ", ".join([*keys, "length", *stories, "told"])
        joins = " ".join([joined(i) for i in range(attempts)])

        one_by_one = ["n", "tokens", "prompt", "output", *costs]
        rows = apart(of_request + summed, f"requests r {joins} WHERE {RANGE}")
        sums = [
            "min(n)",
            "count(*)",
            "max(tokens)",
            *[f"sum({each})" for each in ("prompt", "output", *costs)],
        ]
        self.grouped = (
            f"SELECT {', '.join(sums)}, {common} FROM {apart(one_by_one + in_common, rows)} GROUP BY {common}"  # noqa: S608 - our own names and numbers
        )
        """Sums, what each attempt cost, and what the requests have in common, the story last."""

        found = ["request", "verdict", "judge", "probability", "compared", "score", "rejected", *models]
        rows = apart(of_request + audit, f"audits u JOIN requests r ON r.n = u.request {joins} WHERE {RANGE}")
        self.audits = f"SELECT {', '.join([*found, *in_common])} FROM {rows}"  # noqa: S608 - as above
        """Each audit, the model of each attempt of its request, and what that has in common."""


def apart(columns: Iterable[str], tables: str) -> str:
    """An inner query that SQLite works out row by row: its limit, which is none, keeps it from being merged with the outer one.

    So each figure is worked out once, and only the columns that the outer query names are sorted.
    """
    return f"(SELECT {', '.join(columns)} FROM {tables} LIMIT -1)"  # noqa: S608 - as above


def joined(i: int) -> str:
    """The i-th attempts. Where there is none, none is looked for after it."""
    return f"LEFT JOIN attempts a{i} ON a{i}.request = {f'a{i - 1}.request' if i else 'r.n'} AND a{i}.position = {i}"


def figures(cuts: Cuts, attempts: int) -> Iterator[Figure]:
    """What requests that are alike have in common, beside their stories and how long the answer's prompt was."""
    for word in ("route", "task", "task_by", "format", "status", "model", *["language"] * cuts.languages):
        yield f"ifnull(r.{word}, 0)", WORDS
    yield "ifnull(r.answered + 1, 0)", attempts + 1
    edges = edges_of(cuts)
    guessed = sorted({at_least(edge, factor) for edge in edges for factor in (1.0, SHORT, LONG)})
    (counted, many), (guess, more) = reached("r.tokens", edges), reached("r.tokens", guessed)
    yield f"iif(r.tokens_exact, {counted}, {many} + {guess})", many + more
    for flag in ("r.task_confidence > 0", "r.tools > 0", "r.images > 0", "r.local_only"):
        yield flag, 2
    yield reached("r.task_confidence", [round(share * CONFIDENCE) for share in cuts.confidences])
    for i in range(attempts):
        for figure, below in pack(figures_of_attempt(i, cuts)):
            yield f"iif(a{i}.model IS NULL, 0, {figure})", below


def figures_of_attempt(i: int, cuts: Cuts) -> Iterator[Figure]:
    """What the i-th attempts of requests that are alike have in common: which of the earlier ones are better, too."""
    yield f"a{i}.model", WORDS
    yield f"ifnull(a{i}.failure, 0)", WORDS
    scores = [round(score * FINE) for score in cuts.scores]
    yield reached(f"a{i}.score", scores)
    if cuts.logprobs:
        least = {round(logprob * FINE) for logprob in cuts.logprobs}
        yield reached(f"a{i}.logprob", sorted(least | {edge + 1 for edge in least}))
        others, many = reached(f"{LOWEST_OTHER}(a{i}.story)", scores)
        yield f"iif(a{i}.logprob IS NULL OR a{i}.score >= {scores[-1]}, 0, {others})", many
    yield f"a{i}.late", 2
    yield f"a{i}.cost IS NULL", 2
    yield f"""instr(ifnull(a{i}.story, ''), '"c":true') > 0""", 2
    for j in range(i):
        yield f"ifnull(a{j}.score, 0) > ifnull(a{i}.score, 0)", 2


def pack(figures: Iterable[Figure]) -> list[Figure]:
    """The same in as few integers as hold them, and another for other figures."""
    packed: list[Figure] = []
    for figure, below in figures:
        if packed and packed[-1][1] * below <= LARGEST:
            before, room = packed.pop()
            packed.append((f"({before}) * {below} + ({figure})", room * below))
        else:
            packed.append((figure, below))
    return packed


def edges_of(cuts: Cuts) -> list[int]:
    """Lengths at which a limit begins or ends to hold."""
    return sorted({edge for cut in cuts.tokens for edge in (cut, cut + 1)})


def reached(figure: str, edges: Sequence[int]) -> Figure:
    """How many of these edges a figure has reached; one more than all of them where there is no figure."""
    number = len(edges)
    return f"iif({figure} IS NULL, {number + 1}, {between(figure, edges, 0, number)})", number + 2


def between(figure: str, edges: Sequence[int], least: int, most: int) -> str:
    """The same for a figure that is there and is known to have reached some: half of the rest is ruled out at a time."""
    if least == most:
        return str(least)
    middle = (least + most) // 2
    below, above = between(figure, edges, least, middle), between(figure, edges, middle + 1, most)
    return f"iif({figure} < {edges[middle]}, {below}, {above})"


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
