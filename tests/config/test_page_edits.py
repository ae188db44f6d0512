"""Settings put into pages as people write them: what stands around a line stays, and the line can be put back."""

import tomllib

import pytest

from headgate.config.changes import set_words, words_to_undo
from headgate.core.errors import UsageError

COMMENTED = """\
[[routes]]
name = "rest"
try = [
  "small",  # the quick one
  # Bob: costs money
  "paid",   # Ann's contract
  # ask before you add any
]  # in this order

# ── where it is kept ──
[ledger]
path = "x"
"""


def edited(page, *words):
    return set_words(page, words).text


def test_names_in_a_list_keep_their_comments_when_they_change_places():
    swapped = edited(COMMENTED, "routes.rest.try=paid,small")
    assert tomllib.loads(swapped)["routes"][0]["try"] == ["paid", "small"]
    lines = [line.split() for line in swapped.splitlines()]
    assert lines[3] == ["#", "Bob:", "costs", "money"]
    assert lines[4:7] == [
        ['"paid",', "#", "Ann's", "contract"],
        ['"small",', "#", "the", "quick", "one"],
        ["#", "ask", "before", "you", "add", "any"],
    ]
    assert lines[7] == ["]", "#", "in", "this", "order"]
    back = edited(swapped, *words_to_undo(COMMENTED, ["routes.rest.try=paid,small"]))
    assert [line.split() for line in back.splitlines()] == [line.split() for line in COMMENTED.splitlines()]


def test_a_name_that_is_new_in_a_commented_list_stands_where_it_is_tried():
    longer = edited(COMMENTED, "routes.rest.try=tiny,small,paid")
    assert tomllib.loads(longer)["routes"][0]["try"] == ["tiny", "small", "paid"]
    assert longer.index('"tiny"') < longer.index("# the quick one") < longer.index("# Bob: costs money")


def test_a_new_line_stands_in_its_own_table_above_the_comment_of_the_next():
    page = edited(COMMENTED, "routes.rest.pass_at=0.65")
    assert page.index("pass_at = 0.65") < page.index("# ── where it is kept ──")
    assert edited(page, *words_to_undo(COMMENTED, ["routes.rest.pass_at=0.65"])) == COMMENTED


@pytest.mark.parametrize(
    "word", ["routes.rest.pass_at=0.65", "routes.rest.try=paid,small", "quality.task_confidence=0.55"]
)
def test_lines_end_as_the_page_ends_its_lines(word):
    windows = edited(COMMENTED.replace("\n", "\r\n"), word)
    assert windows.count("\r\n") == windows.count("\n")
    assert windows.replace("\r\n", "\n") == edited(COMMENTED, word)


@pytest.mark.parametrize(
    "page",
    [
        'quality.pass_at = 0.6\nroutes = [{ name = "rest", try = ["small", "paid"] }]',
        'quality = { pass_at = 0.6 }\n[[routes]]\nname = "rest"\ntry = ["small", "paid"]',
        '[[routes]]\nname = "rest"\ntry = ["small", "paid"]\n[routes.checks]\nqa = []\n[ledger]\npath = "x"\n[quality]\npass_at = 0.6\n',
    ],
)
def test_every_form_of_toml_takes_a_setting(page):
    words = ["routes.rest.pass_at=0.65", "routes.rest.try=paid,small", "quality.task_confidence=0.55"]
    found, before = tomllib.loads(edited(page, *words)), tomllib.loads(page)
    before["routes"][0] |= {"pass_at": 0.65, "try": ["paid", "small"]}
    before["quality"] |= {"task_confidence": 0.55}
    assert found == before


MODEL = """\
[models.small]   # the quick one
engine = "home"
id = "s"

# ── where it is kept ──
[ledger]
path = "x"
"""


def test_a_confidence_for_one_task_is_written_beside_the_model_and_taken_away_again():
    words = ["models.small.confidence_for.qa=-0.6"]
    page = edited(MODEL, *words)
    assert tomllib.loads(page)["models"]["small"]["confidence_for"] == {"qa": -0.6}
    assert page.index("qa") < page.index("# ── where it is kept ──")
    assert edited(page, *words_to_undo(MODEL, words)) == MODEL
    both = edited(page, "models.small.confidence_for.code=-0.3", "models.small.confidence=-1")
    assert tomllib.loads(both)["models"]["small"]["confidence_for"] == {"qa": -0.6, "code": -0.3}
    assert tomllib.loads(both)["models"]["small"]["confidence"] == -1
    table = MODEL.replace('id = "s"\n', 'id = "s"\n[models.small.confidence_for]\nqa = -0.2  # Ann\n')
    assert "qa = -0.6  # Ann" in edited(table, *words)


def test_what_is_not_on_the_page_is_removed_in_vain():
    for word in ("models.small.confidence_for.qa=none", "models.small.confidence=none"):
        assert edited(MODEL, word) == MODEL
        assert edited(MODEL, word.replace("none", "-1"), word) == MODEL
    empty = MODEL.replace('id = "s"\n', 'id = "s"\n[models.small.confidence_for]\n# Ann: none yet\n')
    assert "# Ann: none yet" in edited(empty, "models.small.confidence=-1")


def test_a_model_that_is_not_there_has_no_confidence():
    with pytest.raises(UsageError, match='there is no model "smal"') as caught:
        set_words(MODEL, ["models.smal.confidence=-1"])
    assert "small" in caught.value.hint
    with pytest.raises(UsageError, match='there is no task "cooking"'):
        set_words(MODEL, ["models.small.confidence_for.cooking=-1"])
