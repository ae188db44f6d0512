"""Subagents on the command line, with the real embedded engine: run, list, show, export, and the mistakes of a first hour."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest

pytest.importorskip("xllamacpp")

PAGE = """
[server]
listen = "127.0.0.1:0"

[engines.embedded]
kind = "llamacpp"

[models.nano]
engine = "embedded"
id = "headgate-nano"
context = 2048

[models.micro]
engine = "embedded"
id = "headgate-micro"
context = 2048

[[routes]]
name = "labels"
tasks = ["classification", "sentiment"]
try = ["nano", "micro"]

[[routes]]
name = "everything else"
try = ["micro"]

[ledger]
flush = "20ms"
"""

CHARGED = "I was charged twice this month. Please refund one of the payments."
CRASHED = "The app crashes with an error whenever I log in."


@pytest.fixture
def desk(shell):
    shell.write(PAGE)
    return shell


# ── run ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_incoming_support_email_is_classified_and_comes_back_as_strict_json(desk):
    ran = desk("agents", "run", "triage", "-i", CHARGED, "--explain")
    assert ran.code == 0, ran.err
    assert list(ran.json) == ["category", "confidence", "reason"]
    assert ran.json["category"] == "billing"
    assert 0.25 <= ran.json["confidence"] <= 1
    assert re.search(r"nano answered in \d+ms, free, [\d,]+ tokens, billing \d+% likely", ran.err)
    (request,) = re.findall(r"headgate log show (\w+)", ran.err)
    assert desk("log", "show", request).code == 0


def test_a_text_may_be_piped_in_and_all_of_the_run_is_told_to_programs(desk):
    ran = desk("agents", "run", "triage", "--json", stdin=CRASHED)
    assert ran.code == 0, ran.err
    run = ran.json
    assert (run["source"], run["agent"], run["label"]) == (None, "triage", "technical")
    assert sum(run["probabilities"].values()) == pytest.approx(1.0)
    assert run["output"]["category"] == run["label"]
    assert len(run["requests"]) == 1


def test_a_folder_of_mails_and_tables_is_one_line_each_and_what_cannot_be_read_is_named(desk):
    box = desk.home / "box"
    box.mkdir()
    (box / "a.eml").write_text(
        "From: ann@example.com\nSubject: Charged twice\nContent-Type: text/plain; charset=utf-8\n\n" + CHARGED
    )
    (box / "b.txt").write_text(CRASHED)
    (box / "c.txt").write_text("")
    (box / "d.csv").write_text(f'id,text\n1,"{CHARGED}"\n2,"{CRASHED}"\n')
    ran = desk("agents", "run", "triage", "box")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [line["source"] for line in lines] == [
        "box/a.eml",
        "box/b.txt",
        "box/c.txt",
        "box/d.csv#1",
        "box/d.csv#2",
    ]
    labels = [line["output"] and line["output"]["category"] for line in lines]
    assert labels == ["billing", "technical", None, "billing", "technical"]
    assert (lines[2]["status"], lines[2]["reason"]) == ("failed", "an empty file")
    assert ran.code == 1


def test_what_is_lost_of_a_file_that_was_read_is_told_and_is_no_failure(desk):
    (desk.home / "box").mkdir()
    (desk.home / "box" / "old.txt").write_bytes("The café's app crashes when I log in.".encode("latin-1"))
    (desk.home / "box" / "photo.png").write_bytes(b"\x89PNG")
    ran = desk("agents", "run", "triage", "box")
    assert ran.code == 0, ran.err
    assert ran.json["category"] == "technical"
    assert "note: box/old.txt: not UTF-8: read as Windows-1252" in ran.err
    assert "note: box: 1 file of a kind that is not read: 1 .png" in ran.err
    ran = desk(
        "agents",
        "run",
        "draft",
        "--field",
        "client=A",
        "--field",
        "period=May",
        "--field",
        "facts=@box/old.txt",
    )
    assert ran.code == 0, ran.err
    ran = desk("agents", "run", "draft", "--field", "facts=@no.txt")
    assert (ran.code, ran.err.splitlines()[0]) == (
        2,
        "error: no.txt: cannot be read: No such file or directory",
    )


def test_a_text_in_place_of_a_file_is_told_how_to_be_given_however_long_it_is(desk):
    for text in (CHARGED, CHARGED * 9):
        ran = desk("agents", "run", "triage", text)
        assert ran.code == 2
        assert ran.err.startswith("error: there is no file I was charged twice")
        assert 'a text is given with -i "…"' in ran.err
        assert len(ran.err) < 160


def test_a_bar_on_the_terminal_leaves_the_data_to_the_file(desk):
    (desk.home / "mails.csv").write_text(f'input\n"{CHARGED}"\n"{CRASHED}"\n')
    ours, theirs = pty.openpty()
    with (desk.home / "out.jsonl").open("wb") as out:
        order = [sys.executable, "-m", "headgate", "agents", "run", "triage", "mails.csv"]
        code = subprocess.run(
            order, cwd=desk.home, env=desk.env, stdout=out, stderr=theirs, timeout=60, check=False
        )
    seen = os.read(ours, 65536).decode()
    os.close(theirs)
    os.close(ours)
    lines = (desk.home / "out.jsonl").read_text().splitlines()
    assert code.returncode == 0
    assert [json.loads(line)["output"]["category"] for line in lines] == ["billing", "technical"]
    assert "2/2" in seen
    assert "billing" not in seen


def test_several_subagents_get_the_same_input_at_the_same_time(desk):
    ran = desk("agents", "run", "triage,sentiment", "-i", CHARGED)
    assert ran.code == 0, ran.err
    first, second = ran.out.strip().split("\n\n")
    assert first.startswith("triage:\n{")
    assert json.loads(second.removeprefix("sentiment:\n"))["sentiment"] in ("positive", "neutral", "negative")
    runs = desk("agents", "run", "triage,sentiment", "-i", CHARGED, "--json").json
    assert [run["agent"] for run in runs] == ["triage", "sentiment"]


def test_a_template_takes_its_fields_from_the_command_line_and_from_files(desk):
    (desk.home / "facts.txt").write_text("Forty tickets were answered.")
    fields = ["--field", "client=Acme", "--field", "period=May", "--field", "facts=@facts.txt"]
    ran = desk("agents", "run", "draft", *fields, "--json")
    assert ran.json["output"]
    assert ran.json["status"] in ("ok", "incomplete")
    assert ran.json["tokens_in"] > 30


def test_only_the_named_model_answers(desk):
    ran = desk(
        "agents",
        "run",
        "sentiment",
        "-i",
        "What a fine day, thank you so much!",
        "--model",
        "micro",
        "--json",
    )
    assert ran.json["model"] == "micro"


def test_the_open_gate_answers_if_it_is_of_the_same_page_as_it_stands_now(desk):
    assert desk("up", "-d").code == 0
    try:
        run = desk("agents", "run", "triage", "-i", CHARGED, "--json")
        assert (run.json["label"], run.err) == ("billing", "")
        assert json.loads(desk("log", "--json").out.splitlines()[0])["id"] == run.json["requests"][0]
        wrong = desk("agents", "run", "triage", "-i", CHARGED, "--model", "nanno")
        assert (wrong.code, "did you mean" in wrong.err) == (2, True)
        desk("agents", "new", "mood", "--from", "sentiment")
        fresh = desk("agents", "run", "mood", "-i", "I love it")
        assert fresh.code == 0, fresh.err
        assert "mood.toml was changed after the gate at" in fresh.err
    finally:
        desk("down")


def test_a_pipe_that_is_closed_early_is_no_crash(desk):
    ran = subprocess.run(
        f"{sys.executable} -m headgate agents list --json | head -c 1",
        shell=True,
        cwd=desk.home,
        env=desk.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in ran.stderr


# ── the mistakes of a first hour ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("args", "stdin", "message", "hint"),
    [
        (["run", "triag", "-i", "x"], None, 'there is no agent "triag"', 'did you mean "triage"?'),
        (["run", "triage"], " \n", "the input is empty", "give a text with -i"),
        (["run", "triage", "-i", ""], None, "the input is empty", "give a text with -i"),
        (
            ["run", "draft", "-i", "x", "--field", "client=Acme"],
            None,
            "draft needs period and facts, which the input does not have",
            "--field period=… --field facts=…",
        ),
        (["run", "triage", "gone.txt"], None, "there is no file gone.txt", "-i"),
        (
            ["run", "triage", "-i", "x", "--field", "client"],
            None,
            '"client" is no field',
            "--field client=Acme",
        ),
        (["run", "draft", "--field", "facts=@gone.txt"], None, "gone.txt: cannot be read", ""),
        (["run", "triage", "-i", "x", "--out", "o.jsonl"], None, "--out is for batches", "--batch PATH"),
        (
            ["run", "triage", "-i", "x", "--model", "embedded"],
            None,
            'there is no model "embedded"',
            "one of: nano, micro",
        ),
        (["run", "triage", "a.txt", "-i", "x"], None, "there are a text and files", "leave out"),
        (["test", "extract"], None, "extract has no tests", "headgate agents test extract --add FILE"),
        (
            ["test", "triage", "--add", "gone.jsonl"],
            None,
            "triage is built in",
            "headgate agents new triage --from triage",
        ),
        (["show", "sentimnt"], None, 'there is no agent "sentimnt"', 'did you mean "sentiment"?'),
        (["export", "triage"], None, "none of its models is on Ollama", "--model NAME"),
    ],
)
def test_a_mistake_is_named_with_what_to_do(desk, args, stdin, message, hint):
    ran = desk("agents", *args, stdin=stdin)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith(f"error: {message}")
    assert hint in ran.err.partition("hint:")[2] or not hint


def test_a_file_that_cannot_be_read_is_a_failed_input_with_the_reason(desk):
    (desk.home / "talk.pptx").write_bytes(b"PK")
    ran = desk("agents", "run", "triage", "talk.pptx")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "error: talk.pptx: .pptx files are not read (save it as .pdf)\n"


# ── list, show, export ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_five_that_are_built_in_are_listed_with_what_they_answer_and_who_answers(desk):
    rows = {row["name"]: row for row in desk("agents", "list", "--json").json}
    assert list(rows) == ["draft", "extract", "meeting-notes", "sentiment", "triage"]
    assert rows["triage"]["labels"] == ["billing", "technical", "feature-request", "escalation"]
    assert rows["triage"]["chain"] == ["nano", "micro"]
    assert rows["meeting-notes"]["fields"] == ["summary", "decisions", "action_items"]
    told = desk("agents", "list").out
    assert re.search(r"triage +classification: billing, technical.* nano → micro, untested +built in", told)


def test_what_a_model_is_told_is_shown_word_for_word(desk):
    told = desk("agents", "show", "triage").out
    assert "triage: Sorts support e-mails" in told
    assert 'Answer with JSON only: {"category": "billing" or "technical"' in told
    assert "threshold  0.6: a label less likely goes to the next model" in told
    prompt = desk("agents", "show", "triage", "--json").json["prompt"]
    assert [message["role"] for message in prompt] == ["system", "user"]
    ask = desk("agents", "run", "triage", "-i", CHARGED, "--json").json
    assert ask["tokens_in"] > len(prompt[0]["content"]) / 8


def modelfile(text: str) -> list[tuple[str, str]]:
    """A Modelfile's instructions, read as Ollama reads them: three quotes hold lines, quotes a word, # begins a comment."""
    found = []
    pattern = r'^(FROM|SYSTEM|PARAMETER \w+|MESSAGE \w+) (?:"""(.*?)"""|"([^"\n]*)"|([^\n]*))$|^#[^\n]*$|^$'
    end = 0
    for piece in re.finditer(pattern, text, re.DOTALL | re.MULTILINE):
        assert not text[end : piece.start()].strip(), "something that is no instruction"
        end = piece.end()
        if piece[1]:
            found.append((piece[1], next(part for part in piece.groups()[1:] if part is not None)))
    return found


def test_a_subagent_becomes_a_modelfile_and_what_that_cannot_say_is_named(desk):
    folder = desk.home / "agents"
    folder.mkdir()
    (folder / "sort.toml").write_text(
        """
system = 'Sort this "mail".'
labels = ["spam", "ham"]
threshold = 0.7
temperature = 0.25
max_tokens = 5
try = ["nano", "micro"]

[[examples]]
input = "Buy now!\\nCheap."
output = "spam"
"""
    )
    ran = desk("agents", "export", "sort", "--model", "nano")
    assert ran.code == 0, ran.err
    said = modelfile(ran.out)
    assert said[0] == ("FROM", "headgate-nano")
    assert said[1] == (
        "SYSTEM",
        'Sort this "mail".\nAnswer with exactly one of these labels and nothing else: spam, ham.',
    )
    assert said[2:5] == [
        ("PARAMETER temperature", "0.25"),
        ("PARAMETER num_ctx", "2048"),
        ("PARAMETER num_predict", "5"),
    ]
    assert said[5:] == [("MESSAGE user", "Buy now!\nCheap."), ("MESSAGE assistant", "spam")]
    comments = [line for line in ran.out.splitlines() if line.startswith("#")]
    for unsaid in ("its labels: spam, ham", "below 0.7", "chain: nano, micro"):
        assert any(unsaid in line for line in comments), unsaid
    written = desk("agents", "export", "sort", "--model", "nano", "--out", "Modelfile")
    assert "ollama create sort -f Modelfile" in written.err
    assert (desk.home / "Modelfile").read_text() == ran.out


def test_a_test_that_does_not_fit_is_named_in_the_file_that_it_comes_from(desk):
    assert desk("agents", "new", "triage", "--from", "triage").code == 0
    (desk.home / "mine.jsonl").write_text(
        '{"input": "Twice!", "output": "billing"}\n{"input": "Hm.", "output": "refunds"}\n'
    )
    ran = desk("agents", "test", "triage", "--add", "mine.jsonl")
    assert ran.code == 2
    assert ran.err.startswith("error: mine.jsonl, line 2: its output does not fit the schema at category")
    assert not (desk.home / "agents" / "triage.tests.jsonl").exists()


def test_a_name_that_is_taken_is_told_before_anything_else_is_asked(desk):
    assert desk("agents", "new", "tickets", "--system", "Sort.", "--labels", "bug,wish").code == 0
    ours, theirs = pty.openpty()
    order = [sys.executable, "-m", "headgate", "agents", "new", "tickets"]
    ran = subprocess.run(
        order,
        cwd=desk.home,
        env=desk.env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        timeout=60,
        check=False,
    )
    seen = os.read(ours, 65536).decode()
    os.close(theirs)
    os.close(ours)
    assert ran.returncode == 2
    assert "tickets is there already" in seen
    assert "What does it do" not in seen
