"""Fit and measure the task classifier (`headgate.core.tasks`).

    python benchmarks/classifier.py            print the figures
    python benchmarks/classifier.py --write    … and put them into docs/classifier.md
    python benchmarks/classifier.py --cross    cross-validate on the dev prompts (for work on the tables)
    python benchmarks/classifier.py --fit      fit the weights and write core/tasks/weights.py

The fit is multinomial logistic regression with an L2 penalty over the cues, by accelerated gradient descent from zero:
no randomness, no third-party package, a few seconds. It sees the dev prompts and the asks in classifier_asks.txt. The
held prompts are scored, never printed. Nothing here says how the classifier does on real traffic: the prompts are synthetic.
"""

import argparse
import json
from collections import Counter
from math import exp, sqrt
from pathlib import Path
from typing import Any

from headgate.core.language import detect
from headgate.core.tasks import classify
from headgate.core.tasks.evidence import ON_A_TEXT, notice
from headgate.core.words import TASKS

ROOT = Path(__file__).resolve().parents[1]
PROMPTS = ROOT / "tests/data/prompts.jsonl"
HARD = ROOT / "tests/data/hard.jsonl"
WEIGHTS = ROOT / "src/headgate/core/tasks/weights.py"
DOCS = ROOT / "docs/classifier.md"
BEGIN = "<!-- figures: written by benchmarks/classifier.py --write -->"
END = "<!-- end of figures -->"
ASKS = ROOT / "benchmarks/classifier_asks.txt"
PENALTY = 1.5
SEEN_AT_LEAST = 3
"""A single word gets a weight of its own when so many prompts hold it."""
STEPS = 250

Row = dict[str, Any]


def prompts(split: str) -> list[Row]:
    """The labelled prompts of one split."""
    rows = [json.loads(line) for line in PROMPTS.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row["split"] == split]


def hard_prompts() -> list[Row]:
    """The prompts of another author, three in four of them awkward: for measuring only."""
    return [json.loads(line) for line in HARD.read_text(encoding="utf-8").splitlines()]


PASTES: dict[str, tuple[str, ...]] = {
    "-": ("",),
    "mail": (
        (
            "Hi there,\n\nI got your parcel on Monday, and the blue one is missing. Somebody told me to wait, so I waited. "
            "My number is 4471, and I pay 64.20 for it.\n\nBest regards, Lena"
        ),
        "Dear team, the hall is booked from nine, we come with twelve people and need a ramp. Jon will bring the banners.",
    ),
    "rows": (
        "- the page froze twice\n- thanks for the new chairs\n- parcel 4471, blue, 64.20\n- nobody answers on Fridays",
        "1. red bag, 12 pieces\n2. Hall booked by Jon\n3. I waited for an hour",
    ),
    "code": (
        "def total(items):\n    return sum(item.price for item in items)\n\nprint(total(basket))",
        "SELECT name, COUNT(*) FROM orders\nWHERE paid = false GROUP BY name;",
        "const rows = await load(url);\nrows.forEach(r => console.log(r.id));",
    ),
    "table": ("| size | red | blue |\n|---|---|---|\n| S | 12 | 30 |\n| M | 14 | 9 |\n| L | 3 | 41 |",),
    "quote": (
        '"The hall was full at nine, and the blue one came a day late."',
        "“We walked home in the rain and it was fine.”",
    ),
    "text": (
        "The evening market began with eight stalls and has now come to forty towns. Traders like it, neighbours complain "
        "about noise, and the town council wants to look at the figures for April before it decides. " * 2,
        "Parcels were late all week. The hall in Bremen opens at nine, Lena Okun has the key (0421 555 019).",
    ),
}
"""Stand-ins for what is pasted below an ask: only their form matters to the cues."""


LOCAL_PASTES: dict[str, dict[str, tuple[str, ...]]] = {
    "de": {
        "mail": (
            "Guten Tag,\n\nmein Paket kam am Montag an, aber der blaue Schirm ist nicht dabei. Bitte melden Sie sich bei mir.\n\nMit freundlichen Grüßen\nLena Okun",
        ),
        "rows": (
            "- die Seite ist zweimal stehen geblieben\n- danke für die neuen Stühle\n- am Freitag geht niemand ans Telefon",
        ),
        "quote": ('"Die Halle war um neun voll, und das blaue kam einen Tag zu spät bei uns an."',),
        "text": (
            "Der Abendmarkt begann mit acht Ständen und ist nun in vierzig Städten zu finden. Die Händler mögen ihn, die Nachbarn klagen über den Lärm. "
            * 2,
        ),
    },
    "fr": {
        "mail": (
            "Bonjour,\n\nmon colis est arrivé lundi, mais le parapluie bleu n'est pas dans la boîte. Merci de me dire quand il vient.\n\nCordialement, Lena",
        ),
        "rows": (
            "- la page s'est figée deux fois\n- merci pour les chaises\n- personne ne répond le vendredi",
        ),
        "quote": ("« La salle était pleine à neuf heures, et le bleu est arrivé un jour plus tard. »",),
        "text": (
            "Le marché du soir a commencé avec huit stands et il est maintenant dans quarante villes. Les marchands sont contents, les voisins se plaignent du bruit. "
            * 2,
        ),
    },
    "es": {
        "mail": (
            "Hola, buenas tardes:\n\nel paquete llegó el lunes, pero no está el paraguas azul. Quisiera saber cuándo llega.\n\nUn saludo, Lena",
        ),
        "rows": ("- la página se paró dos veces\n- gracias por las sillas\n- los viernes no responde nadie",),
        "quote": ("«La sala estaba llena a las nueve y el azul llegó un día más tarde a la oficina.»",),
        "text": (
            "El mercado de la tarde empezó con ocho puestos y ahora está en cuarenta ciudades. A los vendedores les gusta, los vecinos se quejan del ruido. "
            * 2,
        ),
    },
}


def written_asks() -> list[Row]:
    """The asks written for fitting, each with a stand-in paste in its own language, or in another to be translated."""
    rows: list[Row] = []
    for line in ASKS.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            task, kind, ask = line.split("|", 2)
            number = len(rows)
            language = detect(ask)[0]
            if task == "translation" and (kind == "mail" or number % 3):
                language = ("de", "fr", "es")[number % 3] if language in ("en", "") else "en"
            pastes = LOCAL_PASTES.get(language, PASTES).get(kind) or PASTES[kind]
            joint = (" " if number % 2 else "\n") if kind == "quote" else "\n\n" if number % 3 else "\n"
            rows.append({"task": task, "prompt": f"{ask}{joint}{pastes[number % len(pastes)]}".strip()})
            if kind != "-" and not ON_A_TEXT.isdisjoint(notice(ask)[0]):
                rows.append(
                    {"task": task, "prompt": ask}
                )  # the text stands in an earlier turn, or is a word or two
    return rows


# ── Fitting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def fit(rows: list[Row], penalty: float = PENALTY, steps: int = STEPS) -> dict[str, list[float]]:
    """Weights for each cue, one per task, that make the rows likeliest under the penalty."""
    noted = [sorted(named_cues(row["prompt"])) for row in rows]
    truth = [TASKS.index(row["task"]) for row in rows]
    seen = Counter(cue for some in noted for cue in some)
    cues = sorted(cue for cue, times in seen.items() if times >= (SEEN_AT_LEAST if is_word(cue) else 1))
    place = {cue: number for number, cue in enumerate(cues)}
    examples = [[place[cue] for cue in some if cue in place] for some in noted]
    # Bound of the curvature: half the largest possible squared norm of the rows' shared direction.
    pace = 1 / (0.5 * spectral_norm(examples, len(cues)) + penalty)
    width = range(len(TASKS))
    weights = [[0.0] * len(TASKS) for _ in cues]
    ahead = [row[:] for row in weights]
    momentum = 1.0
    for _ in range(steps):
        slope = [[penalty * weight for weight in row] for row in ahead]
        for example, right in zip(examples, truth, strict=True):
            sums = [sum([ahead[cue][task] for cue in example]) for task in width]
            top = max(sums)
            shares = [exp(total - top) for total in sums]
            whole = sum(shares)
            errors = [share / whole for share in shares]
            errors[right] -= 1.0
            for cue in example:
                row = slope[cue]
                for task in width:
                    row[task] += errors[task]
        following = (1 + sqrt(1 + 4 * momentum * momentum)) / 2
        glide = (momentum - 1) / following
        for cue in range(len(cues)):
            for task in width:
                moved = ahead[cue][task] - pace * slope[cue][task]
                ahead[cue][task] = moved + glide * (moved - weights[cue][task])
                weights[cue][task] = moved
        momentum = following
    return {cue: weights[at] for at, cue in enumerate(cues)}


def named_cues(prompt: str) -> set[str]:
    """All cues of a prompt, single words among them, in quotes."""
    cues, words = notice(prompt)
    return cues | {f"'{word}'" for word in words if word[0].isalpha()}


def is_word(cue: str) -> bool:
    """Whether a cue is a single word as it stands in the ask, not a named cue."""
    return cue.startswith("'")


def spectral_norm(examples: list[list[int]], size: int) -> float:
    """The largest eigenvalue of XᵀX for a 0/1 matrix given by its rows' columns (power iteration, rounded up)."""
    vector = [1.0] * size
    value = 1.0
    for _ in range(30):
        image = [0.0] * size
        for example in examples:
            dot = sum([vector[cue] for cue in example])
            for cue in example:
                image[cue] += dot
        value = sqrt(sum([part * part for part in image]))
        vector = [part / value for part in image]
    return value * 1.05


def write_weights(weights: dict[str, list[float]]) -> None:
    """Write the weights as a Python module, one line a cue, in whole hundredths: their sums are then exact in any order."""
    head = '"""What each cue is worth for each task, in hundredths: written by `benchmarks/classifier.py --fit`, not by hand.\n\n'
    head += "Positive speaks for the task, negative against it. Columns are in the order of `words.TASKS`:\n"
    head += f'{", ".join(TASKS)}.\n"""\n\n'
    tables = {
        "CUES": {cue: row for cue, row in weights.items() if not is_word(cue)},
        "WORDS": {cue.strip("'"): row for cue, row in weights.items() if is_word(cue)},
    }
    body = "\n".join(
        f"{name}: dict[str, tuple[int, ...]] = {{\n"
        + "".join(
            f'    "{cue}": ({", ".join(str(round(100 * value)) for value in row)}),\n'
            for cue, row in sorted(table.items())
        )
        + "}\n"
        for name, table in tables.items()
    )
    WEIGHTS.write_text(head + body, encoding="utf-8")


# ── Measuring ────────────────────────────────────────────────────────────────────────────────────────────────────────


def macro_f1(pairs: list[tuple[str, str | None]]) -> float:
    """The mean over tasks of the harmonic mean of precision and recall; pairs are (true, named)."""
    scores = []
    for task in TASKS:
        hits = sum(true == named == task for true, named in pairs)
        wrong = sum((true == task) != (named == task) for true, named in pairs)
        scores.append(2 * hits / (2 * hits + wrong) if hits or wrong else 1.0)
    return sum(scores) / len(scores)


def named(rows: list[Row]) -> list[tuple[str, str | None]]:
    """(True task, named task) of every row."""
    return [(row["task"], classify(row["prompt"])[0]) for row in rows]


def share_right(pairs: list[tuple[str, str | None]]) -> float:
    return sum(true == guess for true, guess in pairs) / len(pairs)


def cross_validated(rows: list[Row], folds: int = 5) -> float:
    """Macro-F1 on the dev prompts when each fifth is named by weights fitted without it (the tables stay as they are)."""
    pairs: list[tuple[str, str | None]] = []
    for fold in range(folds):
        weights = fit([row for number, row in enumerate(rows) if number % folds != fold] + written_asks())
        for row in rows[fold::folds]:
            lines = [weights[cue] for cue in named_cues(row["prompt"]) if cue in weights]
            sums = [sum(column) for column in zip(*lines, strict=True)]
            pairs.append((row["task"], TASKS[sums.index(max(sums))]))
    return macro_f1(pairs)


def figures() -> str:
    """The measured part of docs/classifier.md: everything that can be computed again from the weights and the prompts."""
    dev, held = prompts("dev"), prompts("held")
    lines = ["| prompts | number | macro-F1 | right |", "|---|---:|---:|---:|"]
    parts = [("**held**", held), ("dev, fitted on", dev)]
    parts += [
        (f"held, {kind}", [row for row in held if row["kind"] == kind]) for kind in ("plain", "awkward")
    ]
    parts += [
        (f"held, {code}", [row for row in held if row["lang"] == code]) for code in ("en", "de", "fr", "es")
    ]
    hard = hard_prompts()
    parts += [("**hard**", hard)]
    parts += [
        (f"hard, {kind}", [row for row in hard if row["kind"] == kind]) for kind in ("plain", "awkward")
    ]
    for name, rows in parts:
        pairs = named(rows)
        lines.append(f"| {name} | {len(rows)} | {macro_f1(pairs):.3f} | {share_right(pairs):.1%} |")
    lines += ["", "### The held prompts, task by task", ""]
    lines += [
        "| true ↓ named → | " + " | ".join(task[:5] for task in TASKS) + " | none |",
        "|---|" + "---:|" * (len(TASKS) + 1),
    ]
    counts = Counter(named(held))
    for true in TASKS:
        cells = [str(counts[true, guess] or "·") for guess in (*TASKS, None)]
        lines.append(f"| {true} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "### Confidence against truth, held prompts",
        "",
        "| confidence | prompts | right |",
        "|---|---:|---:|",
    ]
    judged = [(classify(row["prompt"]), row["task"]) for row in held]
    for low, high in ((0.0, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
        band = [guess == true for (guess, confidence), true in judged if low <= confidence < high]
        right = f"{sum(band) / len(band):.0%}" if band else "–"
        lines.append(f"| {low:.1f} to {min(high, 1.0):.1f} | {len(band)} | {right} |")
    sure = [(guess == true) for (guess, confidence), true in judged if confidence >= 0.5]
    lines += [
        "",
        (
            f"With the policy's default (`task_confidence` 0.5), {len(sure)} of {len(held)} held prompts get a task, and "
            f"{sum(sure) / len(sure):.1%} of these get the right one; the others go to the route for everything else."
        ),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--fit", action="store_true", help="fit the weights on the dev prompts and write them"
    )
    parser.add_argument("--write", action="store_true", help="put the figures into docs/classifier.md")
    parser.add_argument(
        "--cross", action="store_true", help="cross-validate on the dev prompts; looks at no held prompt"
    )
    options = parser.parse_args()
    if options.fit:
        write_weights(fit(prompts("dev") + written_asks()))
        print(f"wrote {WEIGHTS.relative_to(ROOT)}")
    elif options.cross:
        print(f"macro-F1 on dev, five-fold: {cross_validated(prompts('dev')):.3f}")
    elif options.write:
        page = DOCS.read_text(encoding="utf-8")
        DOCS.write_text(
            page[: page.index(BEGIN) + len(BEGIN)] + "\n" + figures() + page[page.index(END) :],
            encoding="utf-8",
        )
        print(f"wrote {DOCS.relative_to(ROOT)}")
    else:
        print(figures(), end="")


if __name__ == "__main__":
    main()
