"""The changes of settings that a week has seen, as notes of its report: other figures may have other causes."""

from collections.abc import Iterable, Iterator

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
