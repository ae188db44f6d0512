"""The time zone in which days and weeks begin."""

from datetime import UTC, datetime, tzinfo


def zone_of(name: str) -> tzinfo:
    """The zone that the config names: "local" or "utc"."""
    return UTC if name == "utc" else (datetime.now().astimezone().tzinfo or UTC)
