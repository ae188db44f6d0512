"""`headgate lab benchmark`: routers on public benchmarks, where every model's outcome on every prompt is known."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headgate.cli.common import put, put_json, say, with_config, with_json

if TYPE_CHECKING:
    from headgate.lab.benchmarks.routing import Figure
    from headgate.lab.benchmarks.running import Scored

FOLDER = click.Path(path_type=Path, resolve_path=True)


@click.command("benchmark")
@click.argument("folder", type=FOLDER, required=False)
@click.option("--fit", type=FOLDER, metavar="FOLDER", help="Fit on this folder; goes with --score.")
@click.option(
    "--score", type=FOLDER, metavar="FOLDER", help="Score this one, on what was fitted on the other."
)
@click.option(
    "--set", "names", multiple=True, metavar="NAME", help="Only this set; may be given several times."
)
@click.option("--track", type=click.Choice(["predictive", "cascade"]), help="Only this track.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of folds, learners and draws.")
@click.option("--quick", is_flag=True, help="Two folds and 100 draws: to see that it runs.")
@click.option("--write", type=FOLDER, metavar="FILE", help="Write the whole report there, as Markdown.")
@with_config
@with_json
def command(
    *,
    folder: Path | None,
    fit: Path | None,
    score: Path | None,
    names: tuple[str, ...],
    track: str | None,
    seed: int,
    write: Path | None,
    config_file: str | None,
    quick: bool,
    as_json: bool,
) -> None:
    """Measure routers on the benchmarks in FOLDER: how much they save, and at what quality.

    Two tracks: predictive (a router sees the prompt) and cascade (it sees a weak model's answer as well, and pays for it). Sets are
    cross-validated within FOLDER; with --fit and --score, one folder is fitted on and another is scored. Calls no model; nothing that
    is learned is kept.
    """
    from headgate.core.errors import HeadgateError, UsageError

    del config_file  # nothing of it is asked for here
    needed = {"numpy": "learn", "sklearn": "learn", "pyarrow": "parquet"}
    missing = sorted({extra for module, extra in needed.items() if find_spec(module) is None})
    if missing:
        raise HeadgateError(
            "routers on benchmarks need packages that are not installed",
            f'pip install "headgate[{",".join(missing)}]"',
        )
    if (score is None) != (fit is None) or (folder is None) == (fit is None):
        raise UsageError(
            "name one FOLDER to cross-validate in, or --fit FOLDER and --score OTHER",
            "headgate lab benchmark --help",
        )
    if write is not None and not write.parent.is_dir():
        raise UsageError(f"there is no folder {write.parent}", "name a place that you may write to")
    source = folder or fit
    assert source is not None
    from headgate.lab.benchmarks.report import markdown
    from headgate.lab.benchmarks.running import Asked, run

    asked = Asked(source, score, names, track or "", seed, quick)
    made = run(asked, say)
    if write is not None:
        write.write_text(markdown(made), encoding="utf-8")
        say(f"written: {write}")
    if as_json:
        put_json(made)
    else:
        for one in made.sets:
            draw(one)


def draw(scored: "Scored") -> None:
    """A set for a person."""
    from headgate.cli.common import put_table, table
    from headgate.lab.benchmarks.report import headline, percent, positions, quality_of, reading, shown

    put(f"\n{headline(scored)}")
    columns = ("APGR", "CPT50", "CPT80", "AIQ", "saved at 100 %", "99 %", "98 %", "95 %")
    table_ = table("track", "router", "labels of", *columns, right=columns)
    for row in scored.rows:
        measured = row.measured
        figures: list[Figure | None] = [*measured.saved] or [None] * 4
        table_.add_row(
            row.track,
            row.router,
            row.labels,
            shown(measured.apgr),
            shown(measured.cpt50, 1, 1),
            shown(measured.cpt80, 1, 1),
            shown(measured.aiq),
            *(percent(each) for each in figures),
        )
    if (best := scored.published) is not None:
        table_.add_row(
            "published", best.method, "", f"{best.apgr:.3f}", f"{best.cpt50:.1f}", f"{best.cpt80:.1f}"
        )
    put_table(table_)
    for line in reading(scored):
        put(f"  {line.replace('**', '')}")
    for left in scored.left_out:
        put(f"  left out: {left.task}: quality {quality_of(left)}, {left.to_strong:.0%} to the strong model")
    for at in positions(scored):
        put(
            f"  at the price that saves {percent(at.seen.saved)} % on kinds seen at quality {shown(at.seen.quality, 100, 1)} %, "
            f"kinds left out keep {shown(at.left_out.quality, 100, 1)} %"
        )
