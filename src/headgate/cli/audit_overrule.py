"""`headgate audit overrule`: a person's verdict on one request, for scripts too."""

from time import time
from typing import TYPE_CHECKING

import click

from headgate.cli.common import load, put, put_json, with_config, with_json

if TYPE_CHECKING:
    from headgate.config.compile import Config


@click.command("overrule", short_help="Your verdict on one request")
@click.argument("request_id", metavar="ID")
@click.argument("verdict", type=click.Choice(["unnecessary", "necessary", "good", "missed", "withdraw"]))
@click.option("--reason", default="", help="A sentence, shown with it.")
@with_config
@with_json
def command(config_file: str | None, request_id: str, verdict: str, reason: str, *, as_json: bool) -> None:
    """Put your verdict on the request ID in force, whatever judges have said. The beginning of an id will do, and "last".

    Of a fallback: unnecessary or necessary. Of a local answer: good or missed. `withdraw` takes back what you have said; then the word
    of the others counts again.
    """
    from headgate.cli.audit_review import whoever
    from headgate.core.errors import UsageError
    from headgate.lab.reviewing import overrule, withdraw, word_for

    config = load(config_file, prices=False)
    path, request_id = config.ledger.path, whole_id(config, request_id)
    if verdict == "withdraw":
        if not withdraw(path, request_id, time()):
            raise UsageError(
                f"you have said nothing of {request_id}", "headgate log show ID tells what was said"
            )
        told = {"id": request_id, "verdict": None}
        sentence = f"{request_id}: your verdict is taken back"
    else:
        opinion = overrule(path, request_id, verdict, time(), by=whoever(), reason=reason)  # type: ignore[arg-type]  # click has looked
        told = {"id": request_id, "verdict": opinion.verdict}
        sentence = f"{request_id} is {word_for(opinion.verdict)}"
    if as_json:
        put_json(told)
    else:
        put(sentence)


def whole_id(config: "Config", word: str) -> str:
    """The id of the request that is meant, as `headgate log show` understands it.

    Raises:
        LedgerError: there is no ledger yet.
        UsageError: there is no such request, or there are several.
    """
    from headgate.cli.log import reader_of
    from headgate.core.errors import LedgerError, UsageError

    with reader_of(config) as reader:
        try:
            return reader.one(word).outcome.id
        except LedgerError as error:
            raise UsageError(error.message, error.hint) from error
