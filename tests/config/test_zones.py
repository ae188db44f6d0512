"""Time zones of the config: local with all its changes of the clock, and names of the IANA database."""

import os
import subprocess
import sys
import zoneinfo
from datetime import UTC, datetime, timedelta

import pytest

from headgate.config import zones
from headgate.config.load import load_config
from headgate.core.errors import ConfigError
from headgate.reports.week import Week

PAGE = """
[engines.ollama]
kind = "ollama"

[models.llama]
engine = "ollama"
id = "llama3.1:8b"

[[routes]]
name = "everything"
try = ["llama"]

[report]
"""
SAME = """
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo
from headgate.config.zones import zone_of
from headgate.reports.week import Week
import sys

here, there = zone_of("local"), ZoneInfo(sys.argv[1])
moment = datetime(2026, 1, 1, tzinfo=UTC)
while moment.year < 2027:
    ours, theirs = moment.astimezone(here), moment.astimezone(there)
    assert (ours.replace(tzinfo=None), ours.utcoffset(), ours.timestamp()) == (
        theirs.replace(tzinfo=None), theirs.utcoffset(), theirs.timestamp()
    ), moment
    moment += timedelta(minutes=30)
for number in range(1, 53):
    for starts in range(7):
        assert Week(2026, number, starts).bounds(here) == Week(2026, number, starts).bounds(there), number
"""


def config(tmp_path, line):
    page = tmp_path / "headgate.toml"
    page.write_text(PAGE + line, encoding="utf-8")
    return load_config(str(page), lambda *_: None)


@pytest.mark.skipif(sys.platform == "win32", reason="there, TZ does not set the zone of a process")
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"])
def test_local_time_is_that_of_the_system_at_each_moment_of_a_year(zone):
    order = [sys.executable, "-c", SAME, zone]
    subprocess.run(order, check=True, env=os.environ | {"TZ": zone}, timeout=60)


def test_a_zone_may_be_named_by_its_place(tmp_path):
    assert config(tmp_path, 'timezone = "America/New_York"').timezone == "America/New_York"
    since, until = Week(2026, 44).bounds(zones.zone_of("America/New_York"))
    assert datetime.fromtimestamp(since, UTC) == datetime(2026, 10, 26, 4, tzinfo=UTC)
    assert until - since == timedelta(hours=169).total_seconds()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("Europe/Berln", 'did you mean "Europe/Berlin"?'),
        ("Europe", 'write "local", "utc", or a name such as'),
        ("../../etc/passwd", 'there is no time zone "../../etc/passwd"'),
    ],
)
def test_a_zone_that_does_not_exist_is_an_error_with_its_line(tmp_path, word, said):
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, f'timezone = "{word}"')
    told = f"{caught.value.message} {caught.value.hint}"
    assert said in told or "did you mean" in told
    assert "14" in told or "15" in told


def test_a_system_without_time_zones_says_how_to_get_them(tmp_path, monkeypatch):
    def nothing(name):
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(zones, "ZoneInfo", nothing)
    monkeypatch.setattr(zones, "available_timezones", frozenset)
    with pytest.raises(ConfigError, match="no database of time zones") as caught:
        config(tmp_path, 'timezone = "Europe/Berlin"')
    assert "pip install tzdata" in caught.value.hint
    assert config(tmp_path, 'timezone = "utc"').timezone == "utc"


def test_a_week_begins_on_the_day_that_the_page_names(tmp_path):
    assert config(tmp_path, "").week_starts == 0
    assert config(tmp_path, 'week_starts = "sunday"').week_starts == 6
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, 'week_starts = "tusday"')
    assert 'did you mean "tuesday"?' in caught.value.hint
