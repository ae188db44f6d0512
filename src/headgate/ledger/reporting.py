"""The weekly report of a config's ledger, for every surface that shows one.

It puts together what others know: which week is meant (`reports.week`), what the ledger counts (`facts`) and how that is
judged (`reports.weekly`). How a report looks, it does not know.
"""

from datetime import datetime

from msgspec.structs import replace

from headgate.config.compile import Config
from headgate.config.zones import zone_of
from headgate.core.errors import LedgerError, UsageError
from headgate.ledger.changes import all_changes
from headgate.ledger.facts import count_facts
from headgate.ledger.home import with_home
from headgate.ledger.queries import LedgerReader
from headgate.ledger.versions import changes_by_name
from headgate.ledger.who_judges import notes_of_judge
from headgate.reports.applied import notes_of_changes, notes_of_versions
from headgate.reports.week import parse_week
from headgate.reports.weekly import WeeklyReport, weekly


def weekly_report(config: Config, word: str) -> WeeklyReport:
    """One week of the config's ledger.

    Args:
        config: whose ledger, time zone and limits these are.
        word: which week: "2026-W47", "47", "this" or "last".

    Raises:
        UsageError: the word names no week.
        LedgerError: the ledger cannot be read.
    """
    zone = zone_of(config.timezone)
    now = datetime.now(zone)
    try:
        week = parse_week(word, now.date(), config.week_starts)
    except ValueError as error:
        raise UsageError(str(error), "headgate report --week 2026-W47, or 47, this, last") from error
    since, until = week.bounds(zone)
    if not config.ledger.path.exists():
        raise LedgerError(
            f"there is no ledger at {config.ledger.path} yet",
            "headgate up opens the gate; headgate demo shows one at work",
        )
    with LedgerReader(config.ledger.path) as reader:
        facts = with_home(reader, config.energy, count_facts(reader, since, until, zone), now.timestamp())
    report = weekly(
        week,
        facts,
        as_of=now.timestamp(),
        warn_over=config.warn_share,
        at_least=config.warn_count,
        baseline=config.policy.baseline,
        policy=config.policy,
    )
    changed = notes_of_changes(all_changes(config.ledger.path), since, until)
    seen = changes_by_name(config.ledger.path, config.policy.named)
    versions = notes_of_versions(seen, since, until, zone)
    return replace(report, notes=(*report.notes, *changed, *versions, *notes_of_judge(config)))
