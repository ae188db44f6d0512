"""Learning from end to end: a config's ledger, read and learned from. It writes nothing; `learning` does the work."""

from headgate.config.compile import Config
from headgate.core.errors import UsageError
from headgate.core.router import Router
from headgate.lab.evidence import read_evidence
from headgate.lab.learned import Lesson
from headgate.ledger.queries import LedgerReader
from headgate.ledger.sealing import seal_of


def learn_from_ledger(config: Config, since: float) -> tuple[Router | None, Lesson]:
    """Learn from what was received since a Unix time.

    Raises:
        ConfigError: what was kept is sealed, and the key cannot be had.
        LedgerError: there is no ledger, or it cannot be read.
        UsageError: scikit-learn is missing.
    """
    try:
        from headgate.lab.learning import learn  # noqa: PLC0415  # an extra, and slow to load
    except ImportError as error:
        raise UsageError(
            f"learning needs a package that is not installed: {error.name}", 'pip install "headgate[learn]"'
        ) from error
    models = config.policy.named
    with LedgerReader(config.ledger.path) as reader:
        evidence = read_evidence(reader, models, since, seal_of(config.audit))
    return learn(evidence, models, config.policy.learning)
