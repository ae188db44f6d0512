"""What a week has seen change, as notes of its report, because other figures may have other causes: settings, and models under their names."""

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo

from headgate.core.watching import AppliedChange


def notes_of_changes(changes: Iterable[AppliedChange], since: float, until: float) -> Iterator[str]:
    """A sentence for each change that was applied, or decided, in some time.

    Args:
        changes: all that were ever applied.
        since: Unix time of the first second.
        until: Unix time after the last one.
    """
    for change in changes:
        lines = [
            f"{one.place} from {was.shown} to {one.shown}"
            for one, was in zip(change.settings, change.before, strict=True)
        ]
        if since <= change.applied < until:
            yield f"Tuning has changed {', '.join(lines)} in this week."
        if change.decided is not None and since <= change.decided < until:
            if change.state == "rolled back":
                yield f"The change of {', '.join(lines)} was taken back: {change.why}."
            elif change.state == "kept":
                yield f"The change of {', '.join(lines)} is kept: {change.why}."


def notes_of_versions(
    changed: Iterable[tuple[str, float]], since: float, until: float, zone: tzinfo | None
) -> Iterator[str]:
    """A sentence for each model under whose name another version was seen in some time.

    Args:
        changed: names of models, and the Unix time when another version of each was seen.
        since: Unix time of the first second.
        until: Unix time after the last one.
        zone: where days are told.
    """
    for name, seen in changed:
        if since <= seen < until:
            yield (
                f"Another version of {name} lies under its name since {datetime.fromtimestamp(seen, zone):%Y-%m-%d}: "
                "what audits found before is of the other one, and tuning and learning leave it out."
            )
