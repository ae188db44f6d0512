"""Inputs longer than a window: the longest lane first, then parts at home, and nothing left out in silence."""

import asyncio
import itertools
import json
import re
import sqlite3
import subprocess
import sys

import pytest
from worker_gate import worker_gate

from headgate.app import open_gate
from headgate.config.load import parse_config
from headgate.testing import Answer, Fault

AGENTS = """
[agents.notes]
system = "Say what the text is about."
task = "summarization"
max_tokens = 100
{more}

[agents.facts]
system = "Find the facts."
task = "extraction"
max_tokens = 100
[agents.facts.schema]
type = "object"
required = ["who", "items", "summary"]
additionalProperties = false
[agents.facts.schema.properties]
who = {{ type = ["string", "null"] }}
items = {{ type = "array", items = {{ type = "string" }} }}
summary = {{ type = "string" }}
"""

SENTENCES = "The team met on Monday and spoke about the budget of the spring campaign for a while."


def text_of(paragraphs: int) -> str:
    """A text whose paragraphs are numbered, some 20 tokens each."""
    return "\n\n".join(f"Paragraph {number}. {SENTENCES}" for number in range(1, paragraphs + 1))


def numbers_in(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"Paragraph (\d+)\.", text)]


def home(call):
    """A model at home that says which paragraphs it was shown, and puts answers together by joining their figures."""
    if "These are the answers" in call.prompt:
        return "Merged: " + " ".join(re.findall(r"\d+-\d+", call.prompt))
    numbers = numbers_in(call.prompt)
    return f"{numbers[0]}-{numbers[-1]}" if numbers else "nothing"


def gate(folder, *, more="", agents="", **options):
    return worker_gate(
        folder, AGENTS.format(more=more) + agents, **{"home": home, "context": 1024, **options}
    )


def chunks_of(run):
    return [step for step in run["steps"] if step["kind"] == "chunk"]


# ── In parts ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_long_text_is_answered_part_by_part_and_every_part_is_shown(tmp_path):
    async with gate(tmp_path) as bench:
        run = await bench.run("notes", text_of(120))
        assert run["status"] == "ok", run["reason"]
        shown = [number for call in bench.asked for number in numbers_in(call.prompt)]
        assert sorted(shown) == list(range(1, 121)), "every paragraph once"
        chunks = chunks_of(run)
        assert len(chunks) >= 3
        places = [
            re.fullmatch(r"tokens ([\d,]+)–([\d,]+) of ([\d,]+) \(lines (\d+)–(\d+)\)", c["what"])
            for c in chunks
        ]
        figures = [[int(figure.replace(",", "")) for figure in place.groups()] for place in places]
        assert figures[0][0] == 1
        assert figures[-1][1] == figures[-1][2]
        assert all(b[0] == a[1] + 1 and b[3] == a[4] + 2 for a, b in itertools.pairwise(figures)), "no gaps"
        assert (figures[0][3], figures[-1][4]) == (1, 239)
        first, last = run["output"].removeprefix("Merged: ").split()[0], run["output"].split()[-1]
        assert (first.split("-")[0], last.split("-")[1]) == ("1", "120")
        rows = {row.id for row in await bench.written(len(run["requests"]))}
        assert {step["request"] for step in run["steps"]} == rows == set(run["requests"])
        assert all(sum(len(m["content"]) for m in call.messages) // 4 < 1024 for call in bench.asked)
        assert bench.paid == []


async def test_a_text_that_fits_is_one_request(tmp_path):
    async with gate(tmp_path) as bench:
        run = await bench.run("notes", text_of(30))
        assert (run["output"], run["steps"], len(bench.asked)) == ("1-30", [], 1)


async def test_a_longer_lane_goes_before_parts(tmp_path):
    change = "context = [1024, 8192]"
    async with gate(tmp_path, context="[1024, 8192]") as bench:
        assert change in (tmp_path / "headgate.toml").read_text()
        run = await bench.run("notes", text_of(120))
        assert (run["output"], run["model"], len(bench.asked)) == ("1-120", "llama@8k", 1)


async def test_parts_are_as_long_as_the_longest_lane_takes(tmp_path):
    async with gate(tmp_path, context="[1024, 4096]") as bench:
        run = await bench.run("notes", text_of(300))
        assert run["status"] == "ok", run["reason"]
        assert len(chunks_of(run)) <= 4, "with the shorter one there would be more than ten"


async def test_parts_at_home_go_before_a_paid_model(tmp_path):
    async with gate(tmp_path, chain='["llama", "gpt"]') as bench:
        run = await bench.run("notes", text_of(120))
        assert run["status"] == "ok"
        assert run["cost"] == 0
        assert bench.paid == []


async def test_only_the_part_that_was_no_good_goes_to_a_paid_model(tmp_path):
    def refuses(call):
        return "I'm sorry, but I can't help with that." if 1 in numbers_in(call.prompt) else home(call)

    async with gate(
        tmp_path, home=refuses, paid=home, more='checks = ["no-refusal"]', chain='["llama", "gpt"]'
    ) as bench:
        run = await bench.run("notes", text_of(120))
        assert run["status"] == "escalated"
        assert len(bench.paid) == 1
        assert 1 in numbers_in(bench.paid[0].prompt)
        assert 120 not in numbers_in(bench.paid[0].prompt)
        assert run["output"].startswith("Merged: 1-")


async def test_a_rule_of_the_users_for_long_prompts_goes_before_parts(tmp_path):
    rule = '\n[[routes]]\nname = "long"\ntokens_over = 1500\ntry = ["gpt"]\n'
    async with gate(
        tmp_path, chain='["gpt"]\ntokens_over = 1500\n[[routes]]\nname = "rest"\ntry = ["llama"]', paid=home
    ) as bench:
        run = await bench.run("notes", text_of(120))
        assert (run["output"], run["model"], bench.asked) == ("1-120", "gpt", []), rule


async def test_where_nothing_at_home_may_be_asked_a_paid_model_gets_it_whole(tmp_path):
    async with gate(tmp_path, more='try = ["gpt"]', paid=home) as bench:
        run = await bench.run("notes", text_of(120))
        assert (run["output"], run["model"], len(bench.paid)) == ("1-120", "gpt", 1)


async def test_a_paid_model_gets_parts_too_where_it_is_too_long_for_it(tmp_path):
    async with gate(tmp_path, more='try = ["gpt"]', paid=home, paid_context=1500) as bench:
        run = await bench.run("notes", text_of(120))
        assert run["status"] == "ok"
        assert len(chunks_of(run)) >= 2
        assert sorted(n for call in bench.paid for n in numbers_in(call.prompt)) == list(range(1, 121))


async def test_who_refuses_long_inputs_says_so_with_the_figures(tmp_path):
    async with gate(tmp_path, more='long = "refuse"') as bench:
        run = await bench.run("notes", text_of(120))
        assert (run["status"], run["output"]) == ("failed", None)
        assert re.search(r"[23],\d\d\d \+ 100 tokens do not fit its window of 1,024", run["reason"])
        assert bench.asked == []


async def test_who_refuses_parts_goes_whole_to_the_next_model_of_its_chain(tmp_path):
    async with gate(tmp_path, more='long = "refuse"', chain='["llama", "gpt"]', paid=home) as bench:
        run = await bench.run("notes", text_of(120))
        assert (run["output"], run["model"]) == ("1-120", "gpt")


async def test_without_paying_it_stays_in_parts_at_home(tmp_path):
    async with gate(tmp_path, more='try = ["llama", "gpt"]') as bench:
        run = await bench.run("notes", text_of(120), pay=False)
        assert run["status"] == "ok"
        assert bench.paid == []


async def test_no_more_parts_are_asked_at_a_time_than_the_model_has_slots(tmp_path):
    now = most = 0

    async def watch(bench):
        nonlocal now, most
        while True:
            now = bench.gate.road.fleet.admission.scheduler.lanes["llama"].running
            waiting = len(bench.gate.road.fleet.admission.scheduler.lanes["llama"].waiting)
            most = max(most, now + waiting)
            await asyncio.sleep(0.002)

    slow = lambda call: Answer(home(call), delay=0.05)  # noqa: E731
    async with gate(tmp_path, home=slow, parallel=3) as bench:
        watching = asyncio.create_task(watch(bench))
        run = await bench.run("notes", text_of(200))
        watching.cancel()
        assert run["status"] == "ok"
        assert most == 3, "as many as there are slots, and none waits in the queue of others"


# ── What goes wrong ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_part_that_nobody_answers_is_named_and_the_rest_is_answered(tmp_path):
    failing = lambda call: Answer("", delay=30) if 60 in numbers_in(call.prompt) else home(call)  # noqa: E731
    async with gate(tmp_path, home=failing, agents="") as bench:
        said = await bench.post("/v1/agents/notes/runs", {"input": text_of(120)}, {"x-headgate-within": "4"})
        run = said.json
        assert run["status"] == "incomplete"
        missing = [step for step in chunks_of(run) if step["result"].startswith("not answered")]
        assert len(missing) == 1
        assert run["reason"].startswith(f"{missing[0]['what']} was not answered: ")
        assert run["output"].startswith("Merged: 1-")
        assert run["output"].endswith("-120")


async def test_when_no_part_is_answered_the_run_has_failed(tmp_path):
    async with gate(tmp_path) as bench:
        bench.ollama.inject(Fault.server_error(), times=None)
        run = await bench.run("notes", text_of(120))
        assert (run["status"], run["output"]) == ("failed", None)
        assert "tokens 1–" in run["reason"]


async def test_a_part_that_turns_out_too_long_is_cut_again(tmp_path):
    """Of such words the double counts four times as many tokens as o200k has."""
    text = "\n\n".join(f"Paragraph {n}. " + "internationalization " * 20 for n in range(1, 41))
    async with gate(tmp_path) as bench:
        run = await bench.run("notes", text)
        assert run["status"] == "ok", run["reason"]
        assert sorted(n for c in chunks_of(run) for n in span(c["result"])) == list(range(1, 41))


def span(result: str) -> list[int]:
    first, last = result.split("-")
    return list(range(int(first), int(last) + 1))


async def test_answers_that_are_too_long_together_are_merged_in_rounds(tmp_path):
    def wordy(call):
        return f"{home(call)}. They spoke about money, time, people, plans, and what the client had said to all of that."

    async with gate(tmp_path, home=wordy) as bench:
        run = await bench.run("notes", text_of(900))
        assert run["status"] == "ok", run["reason"]
        merges = [step for step in run["steps"] if step["kind"] == "merge"]
        assert len(merges) >= 3
        assert run["output"].startswith("Merged: 1-")
        assert "-900" in run["output"]


async def test_what_no_model_can_put_together_is_handed_out_part_by_part_and_said_to_be_so(tmp_path):
    fails = lambda call: Answer("", delay=30) if "These are the answers" in call.prompt else home(call)  # noqa: E731
    async with gate(tmp_path, home=fails) as bench:
        run = (
            await bench.post("/v1/agents/notes/runs", {"input": text_of(120)}, {"x-headgate-within": "4"})
        ).json
        assert run["status"] == "incomplete"
        assert "could not be put together" in run["reason"]
        assert all(f"[{chunk['what']}]\n{chunk['result']}" in run["output"] for chunk in chunks_of(run))


# ── Answers with a form ──────────────────────────────────────────────────────────────────────────────────────────────


def facts(call):
    if "These are the answers" in call.prompt:
        return "All of it in one sentence."
    numbers = numbers_in(call.prompt)
    found = {
        "who": {1: "Anna"}.get(numbers[0], "anna." if 60 in numbers else None),
        "items": [f"item {numbers[0]}", "The budget"],
        "summary": f"From {numbers[0]} to {numbers[-1]} they spoke about the budget of the spring campaign and little else.",
    }
    return json.dumps(found)


async def test_answers_with_a_schema_are_joined_field_by_field(tmp_path):
    async with gate(tmp_path, home=facts) as bench:
        run = await bench.run("facts", text_of(120))
        assert run["status"] == "ok", run["reason"]
        output = run["output"]
        assert output["who"] == "Anna"
        assert output["items"].count("The budget") == 1
        assert len(output["items"]) == 1 + len(chunks_of(run))
        assert output["summary"] == "All of it in one sentence."
        (asked,) = [call for call in bench.asked if "These are the answers" in call.prompt]
        assert asked.schema is None


async def test_what_the_parts_disagree_about_is_named(tmp_path):
    def disagree(call):
        said = json.loads(facts(call)) if "These are" not in call.prompt else None
        return (
            "One."
            if said is None
            else json.dumps(said | {"who": "Tom" if 1 in numbers_in(call.prompt) else "Eva"})
        )

    async with gate(tmp_path, home=disagree) as bench:
        run = await bench.run("facts", text_of(120))
        assert run["output"]["who"] == "Eva"
        assert 'who: the parts say "Tom" (1), "Eva"' in run["reason"]
        assert run["status"] == "ok"


async def test_joined_answers_that_do_not_fit_the_schema_are_made_anew_by_a_model(tmp_path):
    agents = """
[agents.few]
system = "Name the most important thing."
max_tokens = 100
[agents.few.schema]
type = "object"
required = ["items"]
[agents.few.schema.properties.items]
type = "array"
maxItems = 1
items = { type = "string" }
"""

    def one(call):
        if "These are the answers" in call.prompt:
            return '{"items": ["the most important"]}'
        return json.dumps({"items": [str(numbers_in(call.prompt)[0])]})

    async with gate(tmp_path, home=one, agents=agents) as bench:
        run = await bench.run("few", text_of(120))
        assert (run["status"], run["output"]) == ("ok", {"items": ["the most important"]})
        assert "joined field by field the answer does not fit the schema" in run["reason"]


# ── What is said around the text ─────────────────────────────────────────────────────────────────────────────────────


async def test_the_words_of_the_template_and_the_other_fields_go_with_every_part(tmp_path):
    more = 'input = "Client: {client}\\n\\nText:\\n{text}\\n\\nName the client first."'
    async with gate(tmp_path, more=more) as bench:
        run = await bench.run("notes", {"client": "ACME", "text": text_of(120)})
        assert run["status"] == "ok"
        parts = [call.prompt for call in bench.asked if "These are" not in call.prompt]
        assert len(parts) >= 3
        assert all(
            p.startswith("Client: ACME\n\nText:\n") and p.endswith("\n\nName the client first.")
            for p in parts
        )
        assert sorted(n for p in parts for n in numbers_in(p)) == list(range(1, 121))


async def test_what_was_said_before_in_a_conversation_goes_with_every_part(tmp_path):
    async with gate(tmp_path) as bench:
        messages = [
            {"role": "user", "content": "I will send you a text."},
            {"role": "assistant", "content": "Please do."},
            {"role": "user", "content": text_of(120)},
        ]
        said = await bench.post("/v1/chat/completions", {"model": "agent:notes", "messages": messages})
        assert said.json["choices"][0]["message"]["content"].startswith("Merged: 1-")
        parts = [call for call in bench.asked if "These are" not in call.prompt]
        assert all("Please do." in [m["content"] for m in call.messages] for call in parts)
        assert said.json["choices"][0]["finish_reason"] == "stop"
        rows = await bench.written(len(bench.asked))
        used = sum(row.usage.prompt + row.usage.output for row in rows)
        assert said.json["usage"]["total_tokens"] == used, "of all requests together"


async def test_a_text_that_comes_as_pieces_of_a_message_is_cut_too(tmp_path):
    async with gate(tmp_path) as bench:
        pieces = [{"type": "text", "text": text_of(120)}]
        body = {"model": "agent:notes", "messages": [{"role": "user", "content": pieces}]}
        said = await bench.post("/v1/chat/completions", body)
        assert said.json["choices"][0]["message"]["content"].startswith("Merged: 1-")


async def test_a_message_with_a_picture_is_not_cut(tmp_path):
    picture = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    async with gate(tmp_path) as bench:
        pieces = [
            {"type": "text", "text": text_of(120)},
            {"type": "image_url", "image_url": {"url": picture}},
        ]
        body = {"model": "agent:notes", "messages": [{"role": "user", "content": pieces}]}
        said = await bench.post("/v1/chat/completions", body)
        assert said.status >= 400
        assert "do not fit its window" in said.json["error"]["message"]
        assert bench.asked == []


async def test_a_chat_client_is_told_that_a_part_is_missing(tmp_path):
    failing = lambda call: Answer("", delay=30) if 60 in numbers_in(call.prompt) else home(call)  # noqa: E731
    async with gate(tmp_path, home=failing) as bench:
        body = {"model": "agent:notes", "messages": [{"role": "user", "content": text_of(120)}]}
        said = await bench.post("/v1/chat/completions", body, {"x-headgate-within": "4"})
        assert said.json["choices"][0]["finish_reason"] == "length"
        assert said.headers["x-headgate-status"] == "imperfect"


# ── Real models ──────────────────────────────────────────────────────────────────────────────────────────────────────

EMBEDDED = """
[engines.home]
kind = "llamacpp"

[models.micro]
engine = "home"
id = "headgate-micro"

[[routes]]
name = "all"
try = ["micro"]

[ledger]
path = "{folder}/ledger.db"

[agents.sort]
system = "Classify this support email."
task = "classification"
temperature = 0
labels = ["billing", "technical", "feature-request", "escalation"]
"""

MAIL = """On Tue, {day} Mar 2026 at 10:{minute:02d}, Anna Berg <anna@example.org> wrote:
> Hello,
> {text}
> Kind regards,
> Anna
"""
TEXTS = (
    "I was charged twice for my order AB-{n} on 12 March. Please refund the second payment, and tell me when it is done.",
    "Thank you for the quick answer about invoice {n}. Our accountant still sees two bookings in the statement.",
    "The refund for order AB-{n} has not arrived. Please look into the second payment again.",
)


def thread(mails: int) -> str:
    """Mails about one payment, each quoting nothing."""
    return "\n".join(
        MAIL.format(day=n % 28 + 1, minute=n % 60, text=TEXTS[n % 3].format(n=10_000 + 37 * n))
        for n in range(mails)
    )


async def test_a_thread_of_five_thousand_tokens_is_sorted_by_a_real_model_with_a_window_of_a_thousand(
    tmp_path,
):
    pytest.importorskip("xllamacpp")
    config = parse_config(EMBEDDED.format(folder=tmp_path), tmp_path / "headgate.toml")
    async with open_gate(config) as gate:
        run = await gate.runs.run("sort", thread(85))
        assert (run.status, run.output, run.label) == ("ok", "billing", "billing")
        assert run.probability is not None
        assert run.probability > 0.5
        chunks = [step for step in run.steps if step.kind == "chunk"]
        assert int(re.search(r"of ([\d,]+) ", chunks[0].what)[1].replace(",", "")) > 5000
        assert run.steps[-1].kind == "merge"
        assert run.steps[-1].result == run.reason
        assert f"of {len(chunks)}" in run.reason
        again = await gate.runs.run("sort", thread(85))
        assert again.status == "ok"
        gate.writer.flush()
        rows = sqlite3.connect(tmp_path / "ledger.db").execute("select count(*) from requests").fetchone()[0]
        assert rows >= len(run.requests) + len(again.requests)


async def test_triage_of_a_long_thread_is_valid_json_or_says_what_is_missing(tmp_path):
    pytest.importorskip("xllamacpp")
    config = parse_config(EMBEDDED.format(folder=tmp_path), tmp_path / "headgate.toml")
    async with open_gate(config) as gate:
        run = await gate.runs.run("triage", thread(85))
        assert run.status in ("ok", "incomplete"), run.reason
        assert set(run.output) == {"category", "confidence", "reason"}
        missing = [
            step.what for step in run.steps if step.kind == "chunk" and step.result.startswith("not answered")
        ]
        assert all(what in run.reason for what in missing)
        assert run.status == "incomplete" or not missing
        assert run.status == "ok" or run.reason, (
            "a part that failed a check makes it incomplete too, and is said"
        )


async def test_long_meeting_notes_come_out_whole_or_say_which_part_is_missing(tmp_path):
    pytest.importorskip("xllamacpp")
    config = parse_config(EMBEDDED.format(folder=tmp_path), tmp_path / "headgate.toml")
    notes = "# Weekly meeting\n\n" + "\n\n".join(
        f"## Topic {n}\n\nAnna presented the budget of campaign {n}. We decided to go on. Tom sends the figures by Friday."
        for n in range(1, 50)
    )
    async with open_gate(config) as gate:
        run = await gate.runs.run("meeting-notes", notes)
        assert run.status in ("ok", "incomplete", "failed")
        chunks = [step for step in run.steps if step.kind == "chunk"]
        assert len(chunks) > 3
        for step in chunks:
            if step.result.startswith("not answered"):
                assert step.what in run.reason
            else:
                assert set(json.loads(step.result)) == {"summary", "decisions", "action_items"}
        if run.status != "failed":
            assert set(run.output) == {"summary", "decisions", "action_items"}


async def test_a_text_that_only_seemed_to_fit_is_answered_in_parts_after_all(tmp_path):
    pytest.importorskip("xllamacpp")
    config = parse_config(EMBEDDED.format(folder=tmp_path), tmp_path / "headgate.toml")
    async with open_gate(config) as gate:
        run = await gate.runs.run("sort", thread(12))
        assert (run.status, run.output) == ("ok", "billing"), run.reason
        chunks = [step for step in run.steps if step.kind == "chunk"]
        counted = int(re.search(r"of ([\d,]+) ", chunks[0].what)[1].replace(",", ""))
        assert counted < 1024 - 256 - 20, "by o200k it fits the window with room for an answer"
        assert len(run.requests) == len(chunks) + 1, "the first of them was the whole"


def test_the_command_line_shows_every_part_of_a_long_file(tmp_path):
    pytest.importorskip("xllamacpp")
    (tmp_path / "headgate.toml").write_text(EMBEDDED.format(folder=tmp_path))
    (tmp_path / "thread.txt").write_text(thread(40))
    order = [
        sys.executable,
        "-m",
        "headgate",
        "agents",
        "run",
        "sort",
        "thread.txt",
        "--explain",
        "--config",
        "headgate.toml",
    ]
    done = subprocess.run(order, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stdout) == (0, "billing\n"), done.stderr
    assert (
        len(re.findall(r"chunk: tokens [\d,]+–[\d,]+ of [\d,]+ \(lines \d+–\d+\) → billing", done.stderr))
        >= 3
    )
    assert "merge: the parts vote → billing" in done.stderr
