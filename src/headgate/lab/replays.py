"""A replay from end to end: the page with other settings, the recorded requests, and what comes of them.

    replay_ledger(config, ("routes.long.tokens_over=5000",)) → Answer → plain(answer)

The other settings are words put into the page in force, or another page altogether, or both. It reads the config's file and its ledger,
and writes neither. The sums are `core.replay`'s.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from headgate.config.agent_files import read_text, read_toml
from headgate.config.changes import Changed, set_words
from headgate.config.compile import Config
from headgate.config.load import parse_config, starter_text
from headgate.core.intervals import wilson
from headgate.core.past import cuts_of
from headgate.core.replay import Replayed, replay
from headgate.lab.past import Progress, read_past
from headgate.ledger.queries import LedgerReader

MOVES = 40
"""Ways that are shown, those of most requests."""


class Answer(Struct, frozen=True):
    """What a replay found, and what is to be written for it."""

    replayed: Replayed
    changed: Changed


def replay_ledger(
    config: Config,
    words: Iterable[str],
    *,
    page: Path | None = None,
    since: float | None = None,
    until: float | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Answer:
    """Replay what a config's ledger holds under other settings.

    Args:
        config: the settings in force, and where the ledger lies.
        words: the settings to try (`config.changes`).
        page: another page, into which they are put; None is the one in force.
        since: Unix time of the first request; None is from the beginning.
        until: Unix time before which they were received; None is to the end.
        progress: told how many requests have been read.

    Raises:
        ConfigError: there is no such page, or with these settings it does not fit together.
        LedgerError: there is no ledger, or it cannot be read.
        UsageError: a setting cannot be tried.
    """
    source = config.source if page is None else page
    text = starter_text() if source is None else read_text(source)
    if source is not None:
        read_toml(text, str(source))  # it says where it is no TOML
    changed = set_words(text, words)
    policy = parse_config(changed.text, source).policy
    with LedgerReader(config.ledger.path) as reader:
        cuts = cuts_of((config.policy, policy), config.policy.models.values())
        recorded = read_past(
            reader, cuts, since=since, until=until, models=config.policy.models, progress=progress
        )
    return Answer(replay(recorded.past, policy, config.policy, recorded.models, wilson), changed)


def plain(answer: Answer) -> dict[str, Any]:
    """The answer for programs."""
    replayed = answer.replayed
    return {
        **msgspec.to_builtins(replayed.all),
        "by_route": msgspec.to_builtins(replayed.by_route),
        "by_task": msgspec.to_builtins(replayed.by_task),
        "moves": msgspec.to_builtins(replayed.moves[:MOVES]),
        "rates": [
            {**msgspec.to_builtins(asked), **msgspec.to_builtins(rate)}
            for asked, rate in replayed.rates.items()
        ],
        "goods": [
            {**msgspec.to_builtins(answered), **msgspec.to_builtins(good)}
            for answered, good in replayed.goods.items()
        ],
        "why_unknown": dict(replayed.unknown),
        "drifted": replayed.drifted,
        "lines": list(answer.changed.lines),
    }
