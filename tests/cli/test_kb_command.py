"""`headgate kb` as a person runs it, on the embedding model that ships: add, search, list, stats, sync, rm."""

import json
import re
import signal
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from headgate.testing import OpenAIDouble
from headgate.testing.answers import Answer

PAGE = """
[engines.embedded]
kind = "llamacpp"

[models.nano]
engine = "embedded"
id = "headgate-nano"
{embed}
[[routes]]
name = "all"
try = ["nano"]
"""
EMBED = """
[models.embed]
engine = "embedded"
id = "headgate-embed"
kind = "embedding"
"""
READER = """
[engines.house]
kind = "openai"
url = "{url}/v1"
key = "env:TEST_KEY"
local = true

[models.reader]
engine = "house"
id = "gpt-4o-mini"
"""
REFUNDS = """# Refunds

Intro.

## How long they take

A refund takes five working days from the day on which the parcel is back in Bremen.
"""


@pytest.fixture
def kb(shell):
    pytest.importorskip("xllamacpp")
    shell.write(PAGE.format(embed=EMBED))
    folder = shell.home / "handbook"
    folder.mkdir()
    (folder / "refunds.md").write_text(REFUNDS)
    (folder / "travel.md").write_text(
        "# Travel\n\nBook trains in second class, and send the ticket to Lena.\n"
    )

    def kb(*args, **more):
        return shell("kb", *args, HEADGATE_DATA=str(shell.home / "data"), **more)

    kb.shell = shell
    kb.folder = folder
    kb.start = lambda *args: shell.start("kb", *args, HEADGATE_DATA=str(shell.home / "data"))
    return kb


def test_a_folder_is_added_searched_and_forgotten(kb):
    added = kb("add", "handbook", "handbook")
    assert added.code == 0, added.err
    assert added.out.startswith("handbook: 2 files read, 0 unchanged, 0 removed\n")
    found = kb("search", "handbook", "how long does a refund take?", "-k", "1")
    assert found.code == 0, found.err
    place, heading, snippet = found.out.splitlines()
    assert place == "1  handbook/refunds.md:1"
    assert heading.strip() == "Refunds"
    assert "A refund takes five working days" in snippet
    listed = kb("list")
    assert listed.out.splitlines()[-1].split()[:2] == ["handbook", "2"]
    assert "embed" in listed.out
    stats = kb("stats", "handbook")
    assert "by embed, 64 dimensions" in stats.out
    assert f"folders     {kb.folder}" in stats.out
    refused = kb("rm", "handbook")
    assert refused.code == 2
    assert "nobody here can be asked" in refused.err
    gone = kb("rm", "handbook", "--yes")
    assert gone.out == "handbook is forgotten\n"
    assert list((kb.shell.home / "data" / "knowledge").iterdir()) == []
    assert (kb.folder / "refunds.md").exists(), "the documents themselves stay"


def test_json_is_for_programs(kb):
    added = kb("add", "handbook", "handbook", "--json")
    assert (added.json["read"], added.json["missing"], added.json["troubles"]) == (2, 0, [])
    found = kb("search", "handbook", "second class trains", "--json").json
    hit = found["hits"][0]
    assert (found["how"], hit["source"], hit["line"], hit["by_words"]) == (
        "hybrid",
        str(kb.folder / "travel.md"),
        1,
        1,
    )
    assert "second class" in hit["text"]
    stats = kb("stats", "handbook", "--json").json
    assert (stats["files"], stats["model"], stats["dimensions"], stats["index"]) == (2, "embed", 64, "exact")
    assert [one["name"] for one in kb("list", "--json").json["bases"]] == ["handbook"]


def test_a_part_of_a_base_is_forgotten(kb):
    other = kb.shell.home / "other"
    other.mkdir()
    (other / "late.txt").write_text("Late trains are refunded.")
    assert kb("add", "handbook", "handbook", "other").code == 0
    wrong = kb("rm", "handbook", "nothing", "--yes")
    assert wrong.code == 2
    assert f"one of: {kb.folder}, {other}" in wrong.err
    assert kb("rm", "handbook", "other", "--yes").out == f"{other} in handbook is forgotten, with 1 file\n"
    assert kb("stats", "handbook", "--json").json["folders"] == [str(kb.folder)]
    assert "late.txt" not in kb("search", "handbook", "late trains", "--how", "words").out


@pytest.mark.parametrize(
    ("args", "said", "hint"),
    [
        (("search", "hanbook", "x"), 'there is no knowledge base "hanbook"', "did you mean handbook?"),
        (("sync", "hanbook"), 'there is no knowledge base "hanbook"', "did you mean handbook?"),
        (("stats", "wiki"), 'there is no knowledge base "wiki"', "one of: handbook"),
        (("rm", "wiki", "--yes"), 'there is no knowledge base "wiki"', "one of: handbook"),
        (("add", "my handbook", "handbook"), 'cannot be called "my handbook"', "letters, digits, - and _"),
        (("add", "handbook", "nothing"), "there is no nothing", "name folders or files that are there"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(kb, args, said, hint):
    assert kb("add", "handbook", "handbook").code == 0
    ran = kb(*args)
    assert ran.code == 2
    assert said in ran.err
    assert hint in ran.err


def test_without_an_embedding_model_a_base_is_searched_by_words(kb):
    kb.shell.write(PAGE.format(embed=""))
    added = kb("add", "handbook", "handbook")
    assert added.code == 0, added.err
    assert 'a model with kind = "embedding" gives it vectors' in added.err
    found = kb("search", "handbook", "refund")
    assert found.out.startswith("1  handbook/refunds.md:1\n")
    assert "note: searched by words only: the config has no embedding model" in found.err
    vectors = kb("search", "handbook", "refund", "--how", "vectors")
    assert vectors.code == 2
    kb.shell.write(PAGE.format(embed=EMBED))
    later = kb("sync", "handbook")
    assert "0 files read, 2 unchanged" in later.out
    assert kb("stats", "handbook", "--json").json["missing"] == 0


AWAY = """
[engines.openai]
kind = "openai"
url = "{url}/v1"
key = "env:TEST_KEY"
local = false

[models.far]
engine = "openai"
id = "text-embedding-3-small"
kind = "embedding"

[models.reader]
engine = "openai"
id = "gpt-4o-mini"
"""


def test_documents_go_to_a_paid_model_only_when_that_was_said_and_never_with_local(kb):
    with OpenAIDouble().in_thread() as openai:
        kb.shell.write(PAGE.format(embed=AWAY.format(url=openai.url)))
        kept = kb("add", "mine", "handbook", "--local")
        assert "mine stays on your machines" in kept.err
        kb("sync", "mine")
        assert "nothing of it leaves" in kb("stats", "mine").out
        read = kb("search", "mine", "refund", "--rerank", "reader")
        assert (read.code, len(openai.calls)) == (2, 0)
        assert "reader is not on one of them" in read.err
        told = kb("add", "ours", "handbook")
        assert "goes to far" in told.err
        assert openai.calls
        freed = kb("add", "mine", "handbook", "--no-local")
        assert "goes to far" in freed.err


def test_another_embedding_model_is_not_mixed_in(kb):
    assert kb("add", "handbook", "handbook").code == 0
    kb.shell.write(PAGE.format(embed=EMBED.replace("models.embed", "models.other")))
    refused = kb("sync", "handbook")
    assert refused.code == 2
    assert "handbook was embedded by embed" in refused.err
    assert "headgate kb sync handbook --rebuild" in refused.err
    assert kb("sync", "handbook", "--rebuild").code == 0
    assert kb("stats", "handbook", "--json").json["model"] == "other"


def test_a_watched_folder_is_followed_until_ctrl_c(kb):
    watching = kb.start("add", "handbook", "handbook", "--watch")
    assert watching.stderr.readline().startswith("watching the folders of handbook")
    (kb.folder / "new.md").write_text("Dragonflies are counted in June.")
    (kb.folder / "travel.md").unlink()
    said = [watching.stdout.readline() for _ in range(4)]
    assert said[2] == "handbook: 1 file read, 1 unchanged, 1 removed\n", said
    deadline = time.monotonic() + 20
    while not kb("search", "handbook", "dragonflies", "--how", "words").out:
        assert time.monotonic() < deadline
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=20)
    assert watching.returncode == 130
    assert err.endswith("error: stopped\n"), err


def test_a_model_that_reads_the_passages_puts_them_in_order(kb):
    """The double says yes to what the question is about, so the order is its own and not that of the words."""

    def reads(call):
        question, _, passage = call.prompt.partition("Passage:")
        sure = "Lena" in passage and "whom" in question
        return Answer(text="yes" if sure else "no", logprob=-0.01 if sure else -0.2)

    with OpenAIDouble(answer=reads).in_thread() as double:
        kb.shell.write(PAGE.format(embed=EMBED + READER.format(url=double.url)))
        assert kb("add", "handbook", "handbook").code == 0
        plain = kb("search", "handbook", "to whom goes a refund", "--json").json["hits"]
        assert plain[0]["source"].endswith("refunds.md")
        assert plain[0]["relevance"] is None
        read = kb("search", "handbook", "to whom goes a refund", "--rerank", "reader", "-k", "1", "--json")
        assert read.code == 0, read.err
        (hit,) = read.json["hits"]
        assert hit["source"].endswith("travel.md")
        assert hit["relevance"] > 0.9
        wrong = kb("search", "handbook", "x", "--rerank", "embed")
        assert wrong.code == 2
        assert "one of: nano, reader" in wrong.err


def test_a_reader_that_is_down_leaves_the_order_as_it_was(kb):
    kb.shell.write(PAGE.format(embed=EMBED + READER.format(url="http://127.0.0.1:9")))
    assert kb("add", "handbook", "handbook").code == 0
    found = kb("search", "handbook", "refund", "--rerank", "reader", "--json")
    assert found.code == 0, found.err
    assert found.json["hits"][0]["source"].endswith("refunds.md")
    assert found.json["hits"][0]["relevance"] is None


def test_an_embedding_model_that_is_down_leaves_the_words_and_says_so(kb):
    far = READER.format(url="http://127.0.0.1:9") + 'kind = "embedding"\n'
    kb.shell.write(PAGE.format(embed=far))
    added = kb("add", "handbook", "handbook")
    assert added.code == 4
    assert "2 chunks have no vector, and are found by their words only" in added.err
    assert "hint: " in added.err
    assert kb("search", "handbook", "refund", "--how", "words").out.startswith("1  handbook/refunds.md:1\n")


def test_the_page_shows_what_the_commands_print(kb):
    page = (Path(__file__).parents[2] / "docs" / "knowledge.md").read_text()
    shown = page.split("\n```\n")[2]
    said = kb("add", "handbook", "handbook").out
    found = kb("search", "handbook", "How long does a refund take?").out
    blurred = [re.sub(r"\d+\.\d+ s", "# s", text).strip() for text in (shown, f"{said}\n{found}")]
    assert blurred[0] == blurred[1]


def test_a_gate_that_is_open_embeds_also_what_is_too_long_for_the_model(kb):
    kb.shell.write('[server]\nlisten = "127.0.0.1:0"\n' + PAGE.format(embed=EMBED))
    (kb.folder / "long.md").write_text(" ".join(f"word{number}" for number in range(900)))
    data = {"HEADGATE_DATA": str(kb.shell.home / "data")}
    gate = kb.shell.start("up", **data)
    try:
        run = kb.shell.home / "data" / "run.json"
        deadline = time.monotonic() + 30
        while not run.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        added = kb("add", "handbook", "handbook", "--chunk", "2000", "--json")
        assert (added.code, added.json["missing"]) == (0, 0), added.err
        found = kb("search", "handbook", "word77", "--how", "vectors", "--json").json
        assert found["how"] == "vectors"
        url = json.loads(run.read_text())["url"]
        with urlopen(f"{url}/healthz") as answer:
            ledger = json.load(answer)["ledger"]
        assert ledger["written"] + ledger["waiting"] >= 2, "the open gate was asked"
    finally:
        gate.send_signal(signal.SIGINT)
        gate.communicate(timeout=20)
