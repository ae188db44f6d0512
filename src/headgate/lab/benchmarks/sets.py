"""Read a folder of routing benchmarks: prompts, and what every model scored on them.

    read_folder(folder) → {"routerbench": Benchmark, …}

A set is a folder with `prompts.parquet` (id, prompt; task, contaminated where known) and `outcomes.parquet` (id, model, score;
cost_usd, cost_rel, response where known); `models.parquet` (model, usd_per_m_in, usd_per_m_out) may stand beside them. Folders
without outcomes are no sets and are left out. Rows marked `contaminated`, and prompts for which a model's outcome is missing, are
dropped and counted. This module does not know what a router is.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from headgate.core.errors import UsageError
from headgate.core.prices import MILLION, TYPICAL_ANSWER
from headgate.core.tokens import BYTES_PER_TOKEN

PROMPTS, OUTCOMES, MODELS = "prompts.parquet", "outcomes.parquet", "models.parquet"
FORM = "a set is a folder with prompts.parquet (id, prompt, task) and outcomes.parquet (id, model, score)"
FEWEST = 30
"""Prompts below which nothing can be said about a set."""

Floats = npt.NDArray[np.float64]
NUMBER = int, float, Decimal


class Benchmark(Struct, frozen=True):
    """A set of prompts on which the outcome of every model is known."""

    name: str
    ids: tuple[str, ...]
    prompts: tuple[str, ...]
    tasks: tuple[str, ...]
    """The kind of each prompt, as the source says it; "" where it says nothing. No router sees it."""
    models: tuple[str, ...]
    scores: Floats
    """(prompts, models), 0 to 1."""
    costs: Floats | None
    """(prompts, models), in `unit`; None where nobody knows what a model costs."""
    unit: str
    """What the costs are: "dollars", "list prices" or "the source's own unit"; "" where there are none."""
    answers: tuple[tuple[str, ...], ...] = ()
    """For each prompt the models' answers; nothing where the source has none."""
    contaminated: int = 0
    """Prompts dropped because a model had seen them."""
    incomplete: int = 0
    """Prompts dropped because a model's outcome is missing."""

    def take(self, rows: npt.NDArray[np.intp]) -> "Benchmark":
        """The same set with these prompts only."""
        kept = rows.tolist()
        return Benchmark(
            name=self.name,
            ids=tuple(self.ids[row] for row in kept),
            prompts=tuple(self.prompts[row] for row in kept),
            tasks=tuple(self.tasks[row] for row in kept),
            models=self.models,
            scores=self.scores[rows],
            costs=None if self.costs is None else self.costs[rows],
            unit=self.unit,
            answers=tuple(self.answers[row] for row in kept) if self.answers else (),
            contaminated=self.contaminated,
            incomplete=self.incomplete,
        )


def is_set(folder: Path) -> bool:
    """Whether the folder is itself a set."""
    return (folder / PROMPTS).is_file()


def read_folder(
    folder: Path, say: Callable[[str], None], known: Mapping[str, "Benchmark"] | None = None
) -> dict[str, Benchmark]:
    """The sets of a folder by name: its subfolders, or the folder itself where it is a set.

    Args:
        folder: where they are.
        say: is told of each set that cannot be used, while there are others.
        known: sets of the fit part by name. Of a set that is there as well only their models are read: another one's outcomes are not
            missed.

    Raises:
        UsageError: there is no such folder, no set in it, or none of its sets is in this form.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", FORM)
    places = [folder] if is_set(folder) else sorted(each for each in folder.iterdir() if each.is_dir())
    read: dict[str, Benchmark] = {}
    refused: list[UsageError] = []
    for place in places:
        if not (place / OUTCOMES).is_file():
            continue
        try:
            same = (known or {}).get(place.name)
            read[place.name] = read_set(place, () if same is None else same.models)
        except UsageError as error:
            refused.append(error)
    if not read:
        raise refused[0] if refused else UsageError(f"{folder} holds no benchmark", FORM)
    for refusal in refused:
        say(f"left out: {refusal.message}")
    return read


def read_set(folder: Path, known: Sequence[str] = ()) -> Benchmark:
    """One set.

    Args:
        folder: where it is.
        known: models of the fit part; where the set has two of them, the others are not read. All are by default.

    Raises:
        UsageError: a file is missing or unreadable, lacks a column, or holds what it must not.
    """
    prompts = _rows(folder / PROMPTS, ("id", "prompt"))
    outcomes = _rows(folder / OUTCOMES, ("id", "model", "score"))
    clean = {str(row["id"]): row for row in prompts if not row.get("contaminated")}
    if len(clean) + sum(bool(row.get("contaminated")) for row in prompts) != len(prompts):
        raise UsageError(f"{folder / PROMPTS} holds an id twice", "every prompt has an id of its own")
    models = tuple(sorted({str(row["model"]) for row in outcomes}))
    if len(shared := tuple(model for model in models if model in known)) > 1:
        models = shared
    if len(models) < 2:
        raise UsageError(f"{folder / OUTCOMES} holds one model", "a router needs two models to choose from")
    told: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in outcomes:
        score = row["score"]
        if isinstance(score, NUMBER) and 0 <= score <= 1:
            told.setdefault(str(row["id"]), {})[str(row["model"])] = row
        elif score is not None and score == score:  # noqa: PLR0124  # NaN is a missing outcome, not a wrong one
            raise UsageError(f"{folder / OUTCOMES} holds a score of {score}", "scores are from 0 to 1")
    ids = tuple(each for each in clean if told.get(each, {}).keys() >= set(models))
    if len(ids) < FEWEST:
        raise UsageError(
            f"{folder} has {len(ids)} prompts with an outcome for each of its {len(models)} models",
            f"at least {FEWEST} are needed",
        )
    kept = [[told[each][model] for model in models] for each in ids]
    texts = tuple(str(clean[each]["prompt"]) for each in ids)
    prices = _prices(folder / MODELS)
    costs, unit = _costs(kept, models, texts, prices)
    with_answers = all(any(str(row.get("response") or "").strip() for row in rows) for rows in kept)
    return Benchmark(
        name=folder.name,
        ids=ids,
        prompts=texts,
        tasks=tuple(str(clean[each].get("task") or "") for each in ids),
        models=models,
        scores=np.array([[row["score"] for row in rows] for rows in kept], dtype=np.float64),
        costs=costs,
        unit=unit,
        answers=tuple(tuple(str(row["response"] or "") for row in rows) for rows in kept)
        if with_answers
        else (),
        contaminated=len(prompts) - len(clean),
        incomplete=len(clean) - len(ids),
    )


def _rows(file: Path, needed: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of a parquet file that must have some columns."""
    if not file.is_file():
        raise UsageError(f"there is no {file}", FORM)
    from pyarrow import ArrowException, parquet  # type: ignore[import-untyped]  # noqa: PLC0415  # an extra

    try:
        table = parquet.read_table(file)
    except (ArrowException, OSError) as error:
        raise UsageError(
            f"{file} cannot be read: {str(error).splitlines()[0]}", "it must be a parquet file"
        ) from error
    missing = [name for name in needed if name not in table.column_names]
    if missing:
        raise UsageError(f"{file} has no column {', '.join(missing)}", FORM)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _is_amount(value: Any) -> bool:
    """Whether it is an amount of money: a number that is not NaN, endless or negative."""
    return isinstance(value, NUMBER) and 0 <= value < inf


def _prices(file: Path) -> dict[str, tuple[float, float]]:
    """Dollars per million tokens read and written, by model; nothing where the file is not there, or lacks an amount."""
    if not file.is_file():
        return {}
    rows = _rows(file, ("model", "usd_per_m_in", "usd_per_m_out"))
    told = [(str(row["model"]), row["usd_per_m_in"], row["usd_per_m_out"]) for row in rows]
    return {
        model: (float(read), float(written))
        for model, read, written in told
        if _is_amount(read) and _is_amount(written)
    }


def _costs(
    kept: list[list[Mapping[str, Any]]],
    models: tuple[str, ...],
    prompts: tuple[str, ...],
    prices: Mapping[str, tuple[float, float]],
) -> tuple[Floats | None, str]:
    """What each outcome cost, by the best source there is, and which that is."""
    for column, unit in (("cost_usd", "dollars"), ("cost_rel", "the source's own unit")):
        if all(_is_amount(row.get(column)) for rows in kept for row in rows):
            return np.array([[row[column] for row in rows] for rows in kept], dtype=np.float64), unit
    if not all(model in prices for model in models):
        return None, ""
    read = np.array([len(prompt.encode()) / BYTES_PER_TOKEN for prompt in prompts])[:, None]
    written = np.array(
        [
            [
                TYPICAL_ANSWER
                if (answer := row.get("response")) is None
                else len(str(answer).encode()) / BYTES_PER_TOKEN
                for row in rows
            ]
            for rows in kept
        ]
    )
    rates = np.array([prices[model] for model in models])
    return (read * rates[:, 0] + written * rates[:, 1]) / MILLION, "list prices"
