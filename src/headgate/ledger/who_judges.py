"""Who judges by a config, and whether it may, as far as the ledger knows: for whoever says it to people.

What counts is what was tried of the version that a gate has seen last under the model's name. A gate knows more: which one its engine has
now (`lab.auditing.trusting`). Nobody is asked here.
"""

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from headgate.config.compile import Config
from headgate.core.cards import apply
from headgate.core.chosen_judge import chosen_judge
from headgate.core.judges.agreement import Agreement
from headgate.core.judges.trust import PAIRS, WHAT_TO_DO, Trust, trust
from headgate.core.types import Model
from headgate.core.versions import digest_of
from headgate.core.words import Judge
from headgate.ledger.cards import newest_cards
from headgate.ledger.opinions import agreement_of
from headgate.ledger.tried_judges import find_tried
from headgate.ledger.versions import newest_versions


class WhoJudges(Struct, frozen=True):
    """The model that compares answers where nothing cheaper can."""

    model: Model
    named: bool
    """By the user, whose word is obeyed."""
    trust: Trust | None
    """None: it was not tried, or not to the end."""
    asked: int = 0
    """Pairs that it was tried on so far."""

    @property
    def said(self) -> str:
        """Whether it judges, and why, in a sentence without its full stop."""
        name = self.model.name
        if self.trust is None and self.asked:
            few = f"{self.asked:,} pair{'' if self.asked == 1 else 's'}"
            return f"{few} do{'es' if self.asked == 1 else ''} not tell how good a judge {name} is: it takes {PAIRS}"
        if self.trust is None:
            return f"nobody has tried yet how good a judge {name} is"
        if self.trust.trusted:
            return f"{name} may judge: {self.trust.why}"
        if self.named:
            return f"{name} judges because [audit] names it, though {self.trust.why}"
        return f"{name} is not trusted, so it judges nothing: {self.trust.why}"


def who_judges(config: Config) -> WhoJudges | None:
    """Whom the config means, and what is known of it; None is nobody.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    path, word = config.ledger.path, config.audit.judge
    cards = newest_cards(path)
    models = {
        name: apply(model, cards.get((model.engine, model.id)), stated=True)
        for name, model in config.policy.models.items()
    }
    model = chosen_judge(replace(config.policy, models=models), word)
    if model is None:
        return None
    tried = find_tried(path, model.engine, model.id, digest_of(model, newest_versions(path)))
    if tried is None or not tried.done:
        return WhoJudges(model, word == model.name, None, 0 if tried is None else len(tried.said))
    return WhoJudges(model, word == model.name, trust(tried.agreement, labels_of(path, tried.judge, model)))


def labels_of(path: Path, judge: Judge, model: Model) -> Agreement | None:
    """How a model agrees with the user's labels, as a judge: on requests since this version of it lies under its name.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    version = newest_versions(path).get((model.engine, model.id))
    return agreement_of(path, judge, model.name, None if version is None else version.since)


def notes_of_judge(config: Config) -> Iterator[str]:
    """What a report has to say of it: that the model which would judge is not trusted, and what to do."""
    judge = who_judges(config) if config.audit.on else None
    if judge is not None and judge.trust is not None and not judge.trust.trusted:
        yield f"{judge.said}. To do: {WHAT_TO_DO}."
