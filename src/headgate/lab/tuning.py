"""Tuning from end to end: the record of a config's ledger in two parts, the search, and the page with what it proposes.

    tune_ledger(config, floor, since) → Tuned          nothing is written
    apply(config, tuned, now) → Applied                the page is rewritten and the change marked

The search is `core.tuning`'s, the page's editor `config.changes`.
"""

from collections import Counter
from collections.abc import Iterable
from difflib import unified_diff
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from headgate.config.changes import set_words, words_to_undo
from headgate.config.compile import Config
from headgate.config.load import parse_config
from headgate.config.rewriting import read_raw, rewrite, text_of
from headgate.core.candidates import cuts_for
from headgate.core.effects import Record
from headgate.core.errors import ConfigError
from headgate.core.judge_errors import Confusion, confusions, errors_by_judge
from headgate.core.policy import Policy
from headgate.core.proposals import Labels, Proposal, Refusal
from headgate.core.settings import Setting, setting_of
from headgate.core.tuning import searched_before, tune
from headgate.core.types import Model
from headgate.core.watching import AppliedChange
from headgate.lab.past import Progress, read_past
from headgate.ledger.changes import all_changes, mark_change
from headgate.ledger.opinions import opinions_by_request
from headgate.ledger.queries import LedgerReader
from headgate.ledger.units import MICRO

WEEK = 7 * 86_400.0
"""Seconds."""

AVOIDED_FOR = 8 * WEEK
"""How long a setting that was rolled back is not proposed again."""

LABELS = """
SELECT count(*), coalesce(sum(lo <> hi), 0) FROM (
  SELECT min(verdict.text IN ('good', 'unnecessary')) AS lo, max(verdict.text IN ('good', 'unnecessary')) AS hi
  FROM opinions JOIN names AS judge ON judge.id = opinions.judge JOIN names AS verdict ON verdict.id = opinions.verdict
  WHERE judge.text IN ('person', 'caller') AND verdict.text <> 'unclear'
  GROUP BY opinions.request HAVING count(*) > 1)
"""


class Page(Struct, frozen=True):
    """A page that is to be changed, as it lies there."""

    source: Path
    raw: bytes

    @property
    def text(self) -> str:
        """Its text."""
        return text_of(self.raw)


class Tuned(Struct, frozen=True):
    """What a search came to."""

    found: Proposal | Refusal
    page: Page
    text: str
    """The page with what is proposed; as it was where nothing is."""
    requests: int
    audits: int
    since: float
    """Unix time of the first request."""
    until: float
    """Unix time of the last one."""
    split: float
    """Unix time from which on requests judge; those before find."""
    corrected: tuple[str, ...] = ()
    """The judges whose known errors were taken out; others are taken at their word."""

    @property
    def diff(self) -> str:
        """The page's diff, as `patch` takes it; "" where nothing is proposed."""
        name = self.page.source.name
        before, after = (text.splitlines(keepends=True) for text in (self.page.text, self.text))
        return "".join(unified_diff(before, after, name, name))


def tune_ledger(
    config: Config, floor: float, since: float, progress: Progress = lambda _done, _all: None
) -> Tuned:
    """Search for better settings by what a config's ledger holds.

    Args:
        config: the settings in force, and where the ledger lies.
        floor: the least quality, 0-1.
        since: Unix time of the first request to look at.
        progress: told how many requests have been read.

    Raises:
        ConfigError: there is no page that could be changed, or it cannot be changed in this form.
        LedgerError: there is no ledger, or it cannot be read.
    """
    page = page_of(config)
    cuts = cuts_for(config.policy)
    with LedgerReader(config.ledger.path) as reader:
        first, split, last = cut_in_two(reader, since)
        models = config.policy.models
        older = read_past(reader, cuts, since=first, until=split, models=models, progress=progress)
        newer = read_past(reader, cuts, since=split, models=models, progress=progress)
        labels, told = read_labels(reader), read_confusions(reader)
    errors = errors_by_judge(told, "local", weak_too=True)
    changes = all_changes(config.ledger.path)
    to_find = Record(past=older.past, weeks=weeks_between(first, split))
    to_judge = Record(past=newer.past, weeks=weeks_between(split, last))
    known: dict[str, Model] = {**older.models, **newer.models}
    found = tune(
        to_find,
        to_judge,
        config.policy,
        floor=floor,
        known=known,
        avoid=rolled_back(changes, last - AVOIDED_FOR),
        labels=replace(labels, of_judges=sum([one.labelled for one in told.values()])),
        errors=errors,
        searched=searched_before([change.applied for change in changes], split, last),
        unused=Counter(older.unused) + Counter(newer.unused),
    )
    text = page.text
    if isinstance(found, Proposal):
        text = with_words(config, text, [setting.word for setting in found.settings], found.settings)
    return Tuned(
        found=found,
        page=page,
        text=text,
        requests=to_find.requests + to_judge.requests,
        audits=to_find.audits + to_judge.audits,
        since=first,
        until=last,
        split=split,
        corrected=tuple(sorted([judge for judge, one in errors.items() if not one.weak])),
    )


def page_of(config: Config) -> Page:
    """The page of a config.

    Raises:
        ConfigError: it has none of its own, or that cannot be read.
    """
    if config.source is None:
        raise ConfigError("there is no headgate.toml that could be changed", "headgate init writes one")
    return Page(config.source, read_raw(config.source))


def cut_in_two(reader: LedgerReader, since: float) -> tuple[float, float, float]:
    """When the first request was received, when the newer part begins, and when the last one was received.

    Each part has half of the audits that chance chose; without any, half of the requests.
    """
    with reader.connect() as db:
        start = round(since * MICRO)
        both: list[float] = []
        for query in (
            "SELECT received FROM requests WHERE received >= ? AND n IN (SELECT request FROM audits WHERE probability IS NOT NULL) ORDER BY received",
            "SELECT received FROM requests WHERE received >= ? ORDER BY received",
        ):
            both = [row[0] / MICRO for row in db.exec_driver_sql(query, (start,))]
            if both:
                break
        if not both:
            return since, since, since
        first, last = db.exec_driver_sql(
            "SELECT min(received), max(received) FROM requests WHERE received >= ?", (start,)
        ).one()
    return first / MICRO, both[len(both) // 2], last / MICRO


def weeks_between(start: float, end: float) -> float:
    """So many weeks; never none, since figures are shown by the week."""
    return max((end - start) / WEEK, 1 / (7 * 24))


def read_labels(reader: LedgerReader) -> Labels:
    """What people and callers said of the same answers."""
    with reader.connect() as db:
        twice, contradicting = db.exec_driver_sql(LABELS).one()
    return Labels(twice, contradicting)


def read_confusions(reader: LedgerReader) -> dict[str, Confusion]:
    """What labels say of each judge, of whatever time: judges do not change with the traffic."""
    with reader.connect() as db:
        return confusions(opinions_by_request(db))


def rolled_back(changes: Iterable[AppliedChange], since: float) -> frozenset[Setting]:
    """The settings that were wrong not long ago."""
    return frozenset(
        [
            setting
            for change in changes
            if change.state == "rolled back" and change.applied >= since
            for setting in change.settings
        ]
    )


def with_words(config: Config, text: str, words: list[str], settings: tuple[Setting, ...]) -> str:
    """The page with some settings.

    Raises:
        ConfigError: it cannot be changed in this form, or would mean something else than is meant.
    """
    changed = set_words(text, words).text
    policy = parse_config(changed, config.source).policy
    if not has(policy, settings):
        raise ConfigError(
            f"{config.source} cannot be changed in this form",
            "write each route as a [[routes]] table of its own, with its limits in it",
        )
    return changed


def has(policy: Policy, settings: tuple[Setting, ...]) -> bool:
    """Whether a policy has these settings."""
    try:
        return all(setting_of(policy, one.table, one.key) == one for one in settings)
    except LookupError:
        return False


class Applied(Struct, frozen=True):
    """A change that was applied."""

    change: AppliedChange
    kept: Path
    """Where the page lies as it was."""


def apply(config: Config, tuned: Tuned, now: float) -> Applied:
    """Write what is proposed into the page, and mark it in the ledger.

    Raises:
        ConfigError: the page has been changed meanwhile, or cannot be written.
        LedgerError: the ledger cannot be written; the page is as it was.
    """
    found = tuned.found
    assert isinstance(found, Proposal), "only a proposal can be applied"
    change = AppliedChange(
        applied=now,
        settings=found.settings,
        before=found.before,
        undo=words_to_undo(tuned.page.text, [setting.word for setting in found.settings]),
        floor=found.floor,
        expected=found.judged,
    )
    kept = rewrite(tuned.page.source, tuned.page.raw, tuned.text)
    try:
        mark_change(config.ledger.path, change)
    except Exception:
        rewrite(tuned.page.source, read_raw(tuned.page.source), tuned.page.text)
        raise
    return Applied(change, kept)
