"""The poster of a config: its targets read, its schedule, and where its messages come from."""

from functools import partial
from pathlib import Path

from headgate.config.compile import Config
from headgate.config.zones import zone_of
from headgate.core.errors import HeadgateError
from headgate.notify.targets import Target, read_target
from headgate.posts.messages import any_requests, message_of
from headgate.posts.poster import Poster


def poster_of(config: Config) -> tuple[Poster, tuple[str, ...]]:
    """The poster, and sentences about targets that stand for nothing: a gate opens without them."""
    troubles: list[str] = []
    weekly, alerts = (read_targets(config, words, troubles) for words in (config.send_to, config.alerts_to))
    poster = Poster(
        config.ledger.path,
        weekly,
        config.schedule,
        zone_of(config.timezone),
        message=partial(message_of, config),
        has_requests=partial(any_requests, config.ledger.path),
        alerted=alerts,
        week_starts=config.week_starts,
    )
    return poster, tuple(dict.fromkeys(troubles))


def read_targets(config: Config, words: tuple[str, ...], troubles: list[str]) -> list[Target]:
    """The targets that these words stand for; what is wrong with the others goes to `troubles`."""
    base = Path.cwd() if config.source is None else config.source.parent
    found = []
    for word in words:
        try:
            found.append(read_target(word, base))
        except HeadgateError as error:
            hint = f" ({error.hint})" if error.hint else ""
            troubles.append(f"a report cannot be sent: {error.message}{hint}")
    return found
