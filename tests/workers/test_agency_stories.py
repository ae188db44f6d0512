"""The agency's jobs by name, on the shipped models, from Python: notes become minutes, and a draft that no model at home can write is
not passed off as one. (Mail is sorted in `test_subagents_story` and `test_a_thousand_mails`, questions are answered in `test_kb_answers`.)"""

import pytest

from headgate import Gate
from headgate.core.errors import UsageError

pytest.importorskip("xllamacpp")

PAGE = """
[engines.home]
kind = "llamacpp"

[models.clerk]
engine = "home"
id = "headgate-clerk"

[[routes]]
name = "all"
try = ["clerk"]

[ledger]
path = "{folder}/ledger.db"
"""
NOTES = (
    "Team meeting on Monday. We talked about the spring campaign. We decided to move the launch to May. "
    "Anna sends the new budget to the client by Friday. Tom checks the photos until Wednesday."
)


@pytest.fixture
def gate(tmp_path):
    page = tmp_path / "headgate.toml"
    page.write_text(PAGE.format(folder=tmp_path))
    with Gate(config=page) as opened:
        yield opened


def test_meeting_notes_become_a_summary_decisions_and_action_items_with_owner_and_date(gate):
    run = gate.run("meeting-notes", NOTES)
    assert (run.status, run.model, run.cost) == ("ok", "clerk", 0.0)
    assert run.output["summary"] in NOTES
    assert run.output["decisions"] == ["We decided to move the launch to May."]
    assert run.output["action_items"]
    for item in run.output["action_items"]:
        assert item.keys() == {"task", "owner", "due"}


def test_a_draft_that_no_model_at_home_can_write_is_not_passed_off_as_one(gate):
    fields = {"client": "Brandt & Sons", "period": "May", "facts": "Three campaigns went live."}
    run = gate.run("draft", fields)
    assert run.status == "incomplete"
    assert "no-refusal" in run.reason
    with pytest.raises(UsageError, match="the input has no period and no facts"):
        gate.run("draft", {"client": "Brandt & Sons"})
