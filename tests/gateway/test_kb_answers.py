"""A question to a knowledge base: search with the shipped embedder, an answer of a model's, and only what the passages show.

The answering model is a double, which says what each test wants it to; search, checks, fallback and footnotes are real.
"""

import asyncio
import json
import re
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec

import pytest
from test_embeddings import EMBEDDED, SMALL, with_models

from headgate.knowledge import places
from headgate.knowledge.sync import sync
from headgate.testing import Fault, OpenAIDouble

pytestmark = pytest.mark.skipif(find_spec("xllamacpp") is None, reason="needs the embedded engine")

HANDBOOK = """# Handbook

## Refunds

Refunds take five working days. They are paid to the account that the order was paid from.
Refunds are not possible after 30 days.

## People

Anna Klein leads billing. Ben Wolf leads support and answers at support@lumen.example.

## Contracts

Every contract ends after 12 months. The discount is 20 % for contracts above 50,000 euros.
"""
URLAUB = """# Urlaub

Jeder Mitarbeiter hat 30 Tage Urlaub im Jahr. Frau Müller genehmigt die Anträge innerhalb von fünf Werktagen.
"""
QUESTION = "How long do refunds take?"


def passage_with(call, words):
    """The number of the passage that has these words, as the model was shown it."""
    asked = call.fields["messages"][-1]["content"]
    asked = asked if isinstance(asked, str) else "".join(part["text"] for part in asked)
    blocks = re.split(r"(?:^|\n\n)\[(\d+)\] ", asked.rpartition("\n\nQuestion: ")[0])
    return next(
        (int(number) for number, text in zip(blocks[1::2], blocks[2::2], strict=True) if words in text), 1
    )


def says(sentence, words="Refunds take five"):
    """A model that says a sentence, with the number of the passage that has the words in place of N."""
    return lambda call: sentence.replace("[N]", f"[{passage_with(call, words)}]")


TRUE = says("Refunds take five working days [N].")


@asynccontextmanager
async def asked_bench(open_bench, tmp_path, **more):
    """A gate with a base called "handbook"."""
    docs = tmp_path / "docs"
    docs.mkdir(exist_ok=True)
    (docs / "handbook.md").write_text(HANDBOOK, encoding="utf-8")
    (docs / "urlaub.md").write_text(URLAUB, encoding="utf-8")
    async with open_bench(change=with_models(EMBEDDED), **more) as bench:
        await sync("handbook", [docs], bench.gate.embedder, chunk=64)
        yield bench


async def ask(bench, question=QUESTION, **more):
    return await bench.ask(question, model="agent:kb:handbook", **more)


async def row_of_question(bench):
    """The newest row of a question; its search has one of its own."""
    await asyncio.to_thread(bench.gate.writer.flush)
    rows = await bench.written(bench.gate.writer.written)
    return [row for row in rows if row.asked.startswith("agent:")][-1]


async def asked_over_http(bench, question=QUESTION, **headers):
    said = await bench.send(
        "POST", "/v1/kb/handbook/ask", json.dumps({"question": question}).encode(), **headers
    )
    assert said.status == 200, said.body
    return said.json


# ── Answers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_any_chat_client_gets_an_answer_with_footnotes(open_bench, tmp_path):
    async with asked_bench(open_bench, tmp_path, local=TRUE) as bench:
        client = import_module("openai").AsyncOpenAI(
            api_key="none", base_url=f"{bench.url}/v1", max_retries=0
        )
        made = await client.chat.completions.create(
            model="agent:kb:handbook", messages=[{"role": "user", "content": QUESTION}]
        )
        text = made.choices[0].message.content
        assert re.fullmatch(
            r"Refunds take five working days \[1\]\.\n\n\[1\] handbook\.md:\d+–\d+ · Handbook › Refunds", text
        )
        streamed = await client.chat.completions.create(
            model="agent:kb:handbook", messages=[{"role": "user", "content": QUESTION}], stream=True
        )
        assert "".join([piece.choices[0].delta.content or "" async for piece in streamed]) == text
        listed = [model.id async for model in client.models.list()]
        assert "agent:kb:handbook" in listed
        outcome = await row_of_question(bench)
    assert (outcome.asked, outcome.signals.task, outcome.model) == ("agent:kb:handbook", "qa", "llama")
    assert [verdict.check for verdict in outcome.attempts[0].verdicts] == [
        "not-empty",
        "not-cut-off",
        "not-repeating",
        "cited",
    ]


async def test_a_run_has_the_answer_as_a_value(open_bench, tmp_path):
    async with asked_bench(open_bench, tmp_path, local=TRUE) as bench:
        over_http = await asked_over_http(bench)
        in_process = await bench.gate.runs.run("kb:handbook", QUESTION)
    for output in (over_http["output"], in_process.output):
        assert output["answer"] == "Refunds take five working days [1]."
        assert (output["found"], output["left_out"]) == (True, 0)
        (cited,) = output["citations"]
        assert cited["source"] == str(tmp_path / "docs" / "handbook.md")
        lines = HANDBOOK.splitlines()[cited["line"] - 1 : cited["last_line"]]
        assert "Refunds take five working days." in "\n".join(lines)
        assert cited["quote"] == "Refunds take five working days."
    assert over_http["status"] == in_process.status == "ok"
    assert over_http["steps"][0]["kind"] == "search"


async def test_a_local_answer_that_does_not_hold_goes_on_to_the_next_model(open_bench, tmp_path):
    wrong = says("Refunds take six working days [N].")
    async with asked_bench(open_bench, tmp_path, local=wrong, paid=TRUE) as bench:
        said = await ask(bench)
        run = await asked_over_http(bench)
    assert said.headers["x-headgate-model"] == "claude"
    assert said.headers["x-headgate-reason"] == "quality check failed"
    assert said.text.startswith("Refunds take five working days [1].")
    assert (run["status"], run["model"]) == ("escalated", "claude")
    assert "cited: 1 of 1 sentences are not shown" in run["reason"]


async def test_what_no_model_can_show_is_left_out_and_that_is_said(open_bench, tmp_path):
    half = says("Refunds take five working days [N]. They are free in Austria [N].")
    async with asked_bench(open_bench, tmp_path, local=half, paid=half) as bench:
        said = await ask(bench)
        run = await asked_over_http(bench)
    assert said.headers["x-headgate-status"] == "imperfect"
    assert "Austria" not in said.text
    assert said.text.startswith("Refunds take five working days [1].")
    assert "One sentence was left out" in said.text
    assert (run["status"], run["output"]["left_out"]) == ("incomplete", 1)


@pytest.mark.parametrize(
    "lie",
    [
        "Refunds take six working days [N].",
        "Refunds take five weeks [N].",
        "Refunds are possible after 30 days [N].",
        "I think it might be about a week or two [N].",
    ],
)
async def test_no_untrue_sentence_is_ever_told(open_bench, tmp_path, lie):
    async with asked_bench(open_bench, tmp_path, local=says(lie), paid=says(lie)) as bench:
        said = await ask(bench)
        run = await asked_over_http(bench)
    assert said.status == 200
    assert said.text.startswith("Not in the documents.\n\n(A model answered, but the documents do not show")
    assert "[1] handbook.md:" in said.text
    assert lie.partition("[")[0].strip() not in said.text
    assert run["output"]["found"] is False


@pytest.mark.parametrize("mark", [" [9]", "", " [4]"])
async def test_a_true_sentence_with_a_wrong_mark_asks_the_next_model_and_is_told_with_the_right_one(
    open_bench, tmp_path, mark
):
    def marked(call):
        right = passage_with(call, "Refunds take five")
        return "Refunds take five working days" + mark.replace("4", str(right % 3 + 1)) + "."

    async with asked_bench(open_bench, tmp_path, local=marked, paid=marked) as bench:
        said = await ask(bench)
    assert (said.headers["x-headgate-attempts"], said.headers["x-headgate-status"]) == ("2", "imperfect")
    assert said.text.startswith("Refunds take five working days [1].\n\n[1] handbook.md:")
    assert "Handbook › Refunds" in said.text


async def test_a_true_sentence_about_something_else_is_no_answer(open_bench, tmp_path):
    other = says("Every contract ends after 12 months [N].", "Every contract")
    async with asked_bench(open_bench, tmp_path, local=other, paid=other) as bench:
        said = await ask(bench)
    assert said.headers["x-headgate-attempts"] == "2"
    assert said.text.startswith("Not in the documents.")


async def test_a_model_that_finds_nothing_says_so_with_the_closest_passages(open_bench, tmp_path):
    async with asked_bench(open_bench, tmp_path, local="Not in the documents.") as bench:
        said = await ask(bench, "Are refunds paid in bitcoin?")
        run = await asked_over_http(bench, "Are refunds paid in bitcoin?")
    assert said.headers["x-headgate-model"] == "llama"
    assert said.text.startswith("Not in the documents.\n\nThe closest passages:\n[1] ")
    assert (run["status"], run["output"]["answer"]) == ("ok", "Not in the documents.")
    assert 1 <= len(run["output"]["citations"]) <= 3


@pytest.mark.parametrize(
    "question", ["What is the capital of Mongolia?", "Wie backt man Brot?", "Who won the match yesterday?"]
)
async def test_an_unrelated_question_asks_no_model(open_bench, tmp_path, question):
    async with asked_bench(open_bench, tmp_path, local=TRUE) as bench:
        said = await ask(bench, question)
        assert not any(call.path == "/api/chat" for call in bench.ollama.calls)
        outcome = await row_of_question(bench)
    assert said.text.startswith("Not in the documents.")
    assert said.headers["x-headgate-attempts"] == "0"
    assert (outcome.status, outcome.model, outcome.attempts, outcome.cost) == ("ok", None, (), 0.0)


async def test_german_is_answered_and_held_likewise(open_bench, tmp_path):
    right = says("Jeder Mitarbeiter hat 30 Tage Urlaub im Jahr [N].", "30 Tage Urlaub")
    wrong = says("Frau Schmidt genehmigt die Anträge innerhalb von fünf Werktagen [N].", "30 Tage Urlaub")
    async with asked_bench(open_bench, tmp_path, local=wrong, paid=right) as bench:
        said = await ask(bench, "Wie viele Tage Urlaub hat ein Mitarbeiter?")
    assert said.headers["x-headgate-model"] == "claude"
    assert said.text.startswith("Jeder Mitarbeiter hat 30 Tage Urlaub im Jahr [1].\n\n[1] urlaub.md:")


async def test_a_list_of_sentences_keeps_its_form_and_its_numbers_are_in_order(open_bench, tmp_path):
    def listed(call):
        billing, refunds = passage_with(call, "Anna Klein"), passage_with(call, "Refunds take five")
        return f"- Anna Klein leads billing [{billing}].\n- Refunds take five working days [{refunds}]."

    async with asked_bench(open_bench, tmp_path, local=listed) as bench:
        said = await ask(bench, "Who leads billing, and how long do refunds take?")
    assert said.text.startswith(
        "- Anna Klein leads billing [1].\n- Refunds take five working days [2].\n\n[1] handbook.md:"
    )


async def test_a_follow_up_is_searched_with_the_question_before_it(open_bench, tmp_path):
    async with asked_bench(
        open_bench, tmp_path, local=says("Refunds are not possible after 30 days [N].")
    ) as bench:
        said = await bench.ask(
            [
                {"role": "user", "content": QUESTION},
                {"role": "assistant", "content": "Five working days."},
                {"role": "user", "content": "And when are they not possible any more?"},
            ],
            model="agent:kb:handbook",
        )
        asked = [call for call in bench.ollama.calls if call.path == "/api/chat"][-1].fields["messages"]
    assert [message["role"] for message in asked] == ["system", "user"]
    assert asked[-1]["content"].endswith(f"Question: {QUESTION} And when are they not possible any more?")
    assert said.text.startswith("Refunds are not possible after 30 days [1].")


async def test_tools_and_forms_have_no_place_in_an_answer_from_passages(open_bench, tmp_path):
    tool = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}
    async with asked_bench(open_bench, tmp_path, local=TRUE) as bench:
        said = await ask(bench, tools=[tool], response_format={"type": "json_object"}, logprobs=True)
        fields = [call for call in bench.ollama.calls if call.path == "/api/chat"][-1].fields
    assert not fields.keys() & {"tools", "format", "logprobs"}
    assert said.text.startswith("Refunds take five working days [1].")


async def test_what_must_stay_here_stays_here(open_bench, tmp_path):
    wrong = says("Refunds take six working days [N].")
    async with asked_bench(open_bench, tmp_path, local=wrong, paid=TRUE) as bench:
        said = await ask(bench, headers={"x_headgate_privacy": "local_only"})
        assert not bench.claude.calls
    assert said.text.startswith("Not in the documents.")


async def test_a_base_that_stays_here_is_read_by_no_model_elsewhere_whoever_asks(open_bench, tmp_path):
    lie = "Refunds take nine working days [1]."
    async with asked_bench(open_bench, tmp_path, local=lie, paid=TRUE) as bench:
        assert (await ask(bench)).text.startswith("Refunds take five working days"), (
            "it goes on to the paid model"
        )
        paid = len(bench.claude.calls)
        assert paid
        await sync("handbook", [], bench.gate.embedder, local_only=True)
        await sync("handbook", [], bench.gate.embedder)
        listed = (await bench.send("GET", "/v1/kb")).json["data"]
        assert (await ask(bench)).text.startswith("Not in the documents.")
        assert not (await asked_over_http(bench))["output"]["found"]
        assert not (await bench.gate.runs.run("kb:handbook", QUESTION)).output["found"]
        assert len(bench.claude.calls) == paid
        await sync("handbook", [], bench.gate.embedder, local_only=False)
        assert (await ask(bench)).text.startswith("Refunds take five working days")
    assert listed[0]["local_only"] is True


async def test_a_question_that_must_stay_here_is_not_embedded_elsewhere(open_bench, tmp_path):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "handbook.md").write_text(HANDBOOK, encoding="utf-8")
    async with OpenAIDouble() as openai:
        small = SMALL.format(openai=openai.url, local="false")
        async with open_bench(change=with_models(small), local=TRUE) as bench:
            await sync("handbook", [docs], bench.gate.embedder, chunk=64)
            before = len(openai.calls)
            said = await ask(bench, headers={"x_headgate_privacy": "local_only"})
            body = json.dumps({"question": QUESTION}).encode()
            found = await bench.send("POST", "/v1/kb/handbook/search", body, x_headgate_privacy="local_only")
            assert len(openai.calls) == before
            assert found.json["how"] == "words"
            await ask(bench)
            assert len(openai.calls) == before + 1, "else the embedding model is asked"
    assert said.text.startswith("Refunds take five working days [1].")


async def test_as_many_passages_are_shown_as_the_smallest_window_takes(open_bench, tmp_path):
    async with asked_bench(open_bench, tmp_path, local=TRUE) as bench:
        await ask(bench)
        many = [call for call in bench.ollama.calls if call.path == "/api/chat"][-1].fields["messages"][-1]
    small = lambda page: with_models(EMBEDDED)(page).replace("context = 8192", "context = 280")  # noqa: E731
    async with open_bench(change=small, local=TRUE) as bench:
        said = await ask(bench)
        few = [call for call in bench.ollama.calls if call.path == "/api/chat"][-1].fields["messages"][-1]
    assert many["content"].count("\n\n[") > few["content"].count("\n\n[")
    assert said.text.startswith("Refunds take five working days [1].")


async def test_passages_that_a_model_counts_as_more_tokens_are_shown_to_it_in_part(open_bench, tmp_path):
    async with asked_bench(open_bench, tmp_path, local=TRUE) as bench:
        bench.ollama.inject(Fault.context_overflow(), times=2, path="/api/chat")
        said = await asked_over_http(bench, x_headgate_privacy="local_only")
        calls = [call for call in bench.ollama.calls if call.path == "/api/chat"]
    shown = [call.fields["messages"][-1]["content"].count("\n\n[") + 1 for call in calls]
    assert said["output"]["answer"] == "Refunds take five working days [1]."
    assert shown[0] > 2 >= shown[-1]
    assert len(said["requests"]) == len(shown) > 1, "each has its row"


# ── What can go wrong ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_base_that_is_not_there_is_named_with_those_there_are(open_bench, tmp_path):
    async with asked_bench(open_bench, tmp_path) as bench:
        said = await bench.ask(QUESTION, model="agent:kb:handbok")
        assert (said.status, said.json["error"]["code"]) == (404, "agent_not_found")
        assert "kb:handbook" in said.json["error"]["hint"]
        for path in ("ask", "search"):
            over = await bench.send("POST", f"/v1/kb/handbok/{path}", b'{"question": "a"}')
            assert (over.status, over.json["error"]["code"]) == (404, "kb_not_found")
            assert over.json["error"]["hint"] == "did you mean handbook?"


async def test_what_cannot_be_the_name_of_a_base_is_not_one(open_bench, tmp_path):
    async with asked_bench(open_bench, tmp_path) as bench:
        said = await bench.send("POST", "/v1/kb/a.b/search", b'{"question": "refunds"}')
    assert (said.status, said.json["error"]["param"]) == (404, "name")


async def test_a_new_base_is_known_at_once_and_a_removed_one_is_gone(open_bench, tmp_path):
    async with asked_bench(open_bench, tmp_path, local=TRUE) as bench:
        await sync("second", [tmp_path / "docs" / "urlaub.md"], bench.gate.embedder)
        names = {base["name"] for base in (await bench.send("GET", "/v1/kb")).json["data"]}
        assert names == {"handbook", "second"}
        places.remove(places.find("second"))
        assert (await bench.ask(QUESTION, model="agent:kb:second")).status == 404


async def test_changes_on_the_disk_are_answered_from(open_bench, tmp_path):
    changed = says("Refunds take nine working days [N].", "Refunds take nine")
    async with asked_bench(open_bench, tmp_path, local=changed, paid=changed) as bench:
        assert (await ask(bench)).text.startswith("Not in the documents.")
        file = tmp_path / "docs" / "handbook.md"
        file.write_text(HANDBOOK.replace("five working", "nine working"), encoding="utf-8")
        await sync("handbook", [], bench.gate.embedder)
        assert (await ask(bench)).text.startswith("Refunds take nine working days [1].")


async def test_a_base_that_cannot_be_read_is_an_error_that_says_so(open_bench, tmp_path):
    async with asked_bench(open_bench, tmp_path) as bench:
        places.find("handbook").write_bytes(b"no database " * 1000)
        said = await ask(bench)
        over = await bench.send("POST", "/v1/kb/handbook/ask", b'{"question": "refunds"}')
        listed = (await bench.send("GET", "/v1/kb")).json["data"]
    assert said.status == over.status == 503
    assert "handbook" in said.json["error"]["message"]
    assert listed[0]["problem"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{}", "question"),
        (b'{"question": ""}', "question"),
        (b'{"question": "a", "k": 0}', "k"),
        (b'{"question": "a", "kk": 1}', "kk"),
        (b"nonsense", "JSON"),
    ],
)
async def test_a_wrong_body_is_named(open_bench, tmp_path, body, words):
    async with asked_bench(open_bench, tmp_path) as bench:
        said = await bench.send("POST", "/v1/kb/handbook/ask", body)
    assert said.status == 400
    assert words in said.json["error"]["message"]


async def test_search_over_http_finds_passages_with_their_places(open_bench, tmp_path):
    async with asked_bench(open_bench, tmp_path) as bench:
        body = json.dumps({"question": QUESTION, "k": 2}).encode()
        said = await bench.send("POST", "/v1/kb/handbook/search", body)
    first = said.json["hits"][0]
    assert "Refunds take five working days" in first["text"]
    assert (first["heading"], len(said.json["hits"])) == ("Handbook › Refunds", 2)


async def test_the_document_tells_the_paths(open_bench, tmp_path):
    async with asked_bench(open_bench, tmp_path) as bench:
        document = (await bench.send("GET", "/openapi.json")).json
    assert {"/v1/kb", "/v1/kb/{name}/ask", "/v1/kb/{name}/search"} <= document["paths"].keys()
    body = document["paths"]["/v1/kb/{name}/ask"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"]["required"] == ["question"]


# ── With the shipped model ───────────────────────────────────────────────────────────────────────────────────────────

CLERK = """
[models.clerk]
engine = "embedded"
id = "headgate-clerk"
"""


@pytest.mark.parametrize(
    ("question", "figure"),
    [(QUESTION, "five"), ("When does every contract end?", "12"), ("What is the discount?", "20")],
)
async def test_the_shipped_model_answers_at_home(open_bench, tmp_path, question, figure):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "handbook.md").write_text(HANDBOOK, encoding="utf-8")

    def change(page):
        return with_models(EMBEDDED, CLERK)(page).replace('try = ["llama", "claude"]', 'try = ["clerk"]')

    async with open_bench(change=change) as bench:
        await sync("handbook", [docs], bench.gate.embedder, chunk=64)
        run = await bench.gate.runs.run("kb:handbook", question)
    assert (run.model, run.output["found"]) == ("clerk", True)
    assert figure in run.output["answer"]
