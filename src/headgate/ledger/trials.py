"""Trials of subagents in the ledger: one row each time that an agent's tests were run with a model, the newest read back.

Like a capability card, a trial is written by the command that ran it, beside the gate's thread (`ledger.cards`). It does not
know how tests are run, or whether a trial still counts (`core.trials`).
"""

from pathlib import Path

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from headgate.core.trials import Trial
from headgate.ledger.beside import keep_row
from headgate.ledger.queries import LedgerReader
from headgate.ledger.schema import trials
from headgate.ledger.units import MICRO

_decode = msgspec.json.Decoder(Trial).decode


def save_trial(path: Path, trial: Trial) -> None:
    """Keep a trial, whole or not at all; the ledger is made where there is none.

    Raises:
        LedgerError: the ledger cannot be opened or written.
    """
    keep_row(
        path,
        "trials",
        {
            "agent": trial.agent,
            "digest": trial.digest,
            "model": trial.model,
            "measured": round(trial.measured * MICRO),
            "trial": msgspec.json.encode(trial).decode(),
        },
        f"the trial of {trial.agent} with {trial.model}",
    )


def newest_trials(path: Path) -> dict[tuple[str, str], Trial]:
    """The newest trial of each agent with each model; none where there is no ledger yet.

    One that this version cannot read counts as none.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    if not path.exists():
        return {}
    query = select(trials.c.agent, trials.c.model, trials.c.trial).order_by(trials.c.measured, trials.c.n)
    with LedgerReader(path) as ledger, ledger.connect() as db:
        try:
            found = db.execute(query).all()
        except OperationalError as error:
            if "no such table" in str(
                error
            ):  # of an older Headgate; the next start of the gate adds the table
                return {}
            raise
    newest: dict[tuple[str, str], Trial] = {}
    for row in found:
        try:
            newest[row.agent, row.model] = _decode(row.trial)
        except msgspec.DecodeError:
            continue
    return newest
