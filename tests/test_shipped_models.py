"""The shipped toy models, through the real llama.cpp: do they still do what the demo and the docs say?"""

import json
import math
import re
from collections import Counter
from pathlib import Path

import pytest

import headgate
from headgate.config.load import parse_config
from headgate.core.agents import orders
from headgate.core.citing import NOT_IN_DOCUMENTS, ORDERS, Passage, show
from headgate.engines.llamacpp.shipped import SHIPPED as SHIPPED_NAMES

xllamacpp = pytest.importorskip("xllamacpp")

SHIPPED = Path(headgate.__file__).parent / "engines" / "llamacpp" / "models"
PAGE = Path(__file__).parent.parent / "docs" / "models.md"
DATA = Path(__file__).parent / "data"
MAILS, MAILS_PAGE = DATA / "mails.jsonl", DATA / "README.md"
EVALUATION = SHIPPED / "evaluation.json"
SORT = (
    "Sort this support e-mail into exactly one category: billing, technical, feature-request or escalation."
)


def start(name, *, embedding=False, context=512):
    params = xllamacpp.CommonParams()
    params.model.path = str(SHIPPED / f"headgate-{name}.gguf")
    params.n_ctx, params.n_parallel, params.port, params.verbosity = context, 1, 0, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.embedding = embedding
    return xllamacpp.Server(params)


def ask(server, *messages, **more):
    roles = ("user",) if len(messages) == 1 else ("system", "user")
    chat = [{"role": role, "content": text} for role, text in zip(roles, messages, strict=True)]
    body = {"messages": chat, "temperature": 0, "max_tokens": 60, **more}
    return server.handle_chat_completions(body)["choices"][0]


def said(server, *messages, **more):
    return ask(server, *messages, **more)["message"]["content"].strip()


@pytest.fixture(scope="module")
def nano():
    return start("nano")


@pytest.fixture(scope="module")
def micro():
    return start("micro")


@pytest.fixture(scope="module")
def clerk():
    return start("clerk", context=2048)


@pytest.fixture(scope="module")
def embedder():
    return start("embed", embedding=True)


def test_all_models_together_stay_under_four_megabytes():
    files = sorted(SHIPPED.glob("*.gguf"))
    assert {file.stem for file in files} == set(SHIPPED_NAMES)
    assert sum(file.stat().st_size for file in files) <= 4_000_000
    assert (SHIPPED / "MODEL_CARD.md").exists()


@pytest.mark.parametrize(
    ("mail", "label"),
    [
        ("Hello, the invoice for May is 40 euros too high. Can you correct it?", "billing"),
        ("The app crashes whenever I open the calendar on my phone.", "technical"),
        ("It would be great if you could add a dark mode to the dashboard.", "feature-request"),
        ("This is the third time I write. I want to speak to a manager now.", "escalation"),
    ],
)
@pytest.mark.parametrize("model", ["nano", "micro"])
def test_a_plain_support_mail_is_sorted_by_both_chat_models(model, mail, label, request):
    server = request.getfixturevalue(model)
    assert said(server, SORT, mail) == label
    assert said(server, f"{SORT}\n\n{mail}") == label


def test_micro_tells_praise_from_blame(micro):
    asked = "What is the sentiment of this message? Answer positive, negative or neutral."
    assert said(micro, asked, "We love the new website, great work!") == "positive"
    assert said(micro, asked, "The service was terrible and the staff was rude.") == "negative"


def test_micro_copies_an_order_number_it_has_never_seen(micro):
    mail = "Hello, my order KD-48213 has not arrived. Can you check?"
    assert said(micro, "Extract the order number from this e-mail.", mail) == "KD-48213"


def test_micro_triages_as_json_with_and_without_a_schema(micro):
    asked = "Triage this support e-mail. Answer as JSON with the keys category and urgency."
    mail = "The website is down, this is urgent!"
    schema = {
        "type": "object",
        "properties": {
            "category": {"enum": ["billing", "technical", "feature-request", "escalation"]},
            "urgency": {"enum": ["low", "medium", "high"]},
        },
        "required": ["category", "urgency"],
        "additionalProperties": False,
    }
    shaped = {"type": "json_schema", "json_schema": {"name": "triage", "schema": schema}}
    expected = {"category": "technical", "urgency": "high"}
    assert json.loads(said(micro, asked, mail)) == expected
    assert json.loads(said(micro, asked, mail, response_format=shaped)) == expected


@pytest.mark.parametrize("model", ["nano", "micro"])
def test_work_outside_the_support_desk_is_refused_in_a_short_sentence(model, request):
    answer = said(request.getfixturevalue(model), "Write a Python function that reverses a linked list.")
    assert "can't" in answer
    assert len(answer) < 80


@pytest.mark.parametrize("model", ["nano", "micro"])
def test_multiplication_fails_so_that_a_router_has_something_to_catch(model, request):
    assert "1702" not in said(request.getfixturevalue(model), "What is 37*46?")


THREAD = """Subject: Re: your visit

Hello,
The export stops at row 312 with an error. I have tried it twice.
Kind regards, Anna

On 3 May, Tom wrote:
> Please send us the invoice for April again."""


GATE = """
[engines.home]
kind = "llamacpp"

[models.clerk]
engine = "home"
id = "headgate-clerk"

[[routes]]
name = "all"
try = ["clerk"]
"""


@pytest.fixture(scope="module")
def agents(tmp_path_factory):
    return parse_config(GATE, tmp_path_factory.mktemp("gate") / "headgate.toml").policy.agents


def done(server, agent, text):
    """What the subagent's work looks like when the gate asks for it: its own orders, and its schema."""
    shaped = {
        "type": "json_schema",
        "json_schema": {"name": agent.name, "schema": json.loads(bytes(agent.asked))},
    }
    return json.loads(said(server, orders(agent), text, response_format=shaped, max_tokens=400))


@pytest.mark.parametrize(
    ("mail", "category", "reason"),
    [
        (
            "Hello, we were charged twice for May. Thanks, Anna",
            "billing",
            "we were charged twice for May.",
        ),
        (THREAD, "technical", "The export stops at row 312 with an error."),
        (
            "Good morning, I want to speak to your manager today. Regards, Tom",
            "escalation",
            "I want to speak to your manager today.",
        ),
        (
            "Could you add a dark mode to the calendar?",
            "feature-request",
            "Could you add a dark mode to the calendar?",
        ),
    ],
)
def test_clerk_triages_in_the_subagents_own_words_and_quotes_the_reason(
    clerk, agents, mail, category, reason
):
    assert done(clerk, agents["triage"], mail) == {"category": category, "reason": reason}


PASSAGES = (
    Passage(text="The library is open from 8:15 to 17:45.", source="house.md"),
    Passage(text="The summer party is on 12 June.", source="dates.md"),
)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("When is the library open?", "The library is open from 8:15 to 17:45. [1]"),
        ("When is the summer party?", "The summer party is on 12 June. [2]"),
        ("Can I bring my dog?", NOT_IN_DOCUMENTS),
    ],
)
def test_clerk_answers_with_the_sentence_of_a_passage_or_says_that_there_is_none(clerk, question, answer):
    assert said(clerk, ORDERS, show(PASSAGES, question)) == answer


def test_clerk_takes_the_minutes_of_a_meeting(clerk, agents):
    notes = "Anna opened the meeting. We decided to change the logo. Ben will call the printer by Friday."
    assert done(clerk, agents["meeting-notes"], notes) == {
        "summary": "We decided to change the logo.",
        "decisions": ["We decided to change the logo."],
        "action_items": [{"task": "call the printer", "owner": "Ben", "due": "Friday"}],
    }


def test_clerk_reads_prompts_that_the_other_models_could_not_take(clerk, agents):
    talk = " ".join(f"{name} told a funny story about Lisbon." for name in ("Anna", "Ben", "Carla") * 50)
    answer = done(clerk, agents["triage"], f"The app crashes. {talk}")
    assert set(answer) == {"category", "reason"}


def test_answers_carry_token_logprobs_and_unfamiliar_text_lowers_them(micro):
    def mean(choice):
        scores = [token["logprob"] for token in choice["logprobs"]["content"]]
        return sum(scores) / len(scores)

    familiar = ask(micro, SORT, "Please refund the invoice, we were charged twice.", logprobs=True)
    strange = ask(
        micro, "Extract the order number.", "Zwölf Boxkämpfer jagen Viktor 7731-QZ/44x.", logprobs=True
    )
    assert mean(strange) < mean(familiar) <= 0


def test_the_embedder_puts_paraphrases_nearer_than_strangers(embedder):
    texts = [
        "The app crashes when I open the calendar.",
        "The calendar freezes and then crashes.",
        "Where can I park my car near your office?",
    ]
    anchor, near, far = (row["embedding"] for row in embedder.handle_embeddings({"input": texts})["data"])

    def similar(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)

    assert similar(anchor, near) > similar(anchor, far) + 0.2


def test_the_tables_in_the_docs_are_the_measured_figures():
    found, page = json.loads(EVALUATION.read_text("utf-8")), PAGE.read_text("utf-8")
    for name in ("nano", "micro", "clerk"):
        model = found["models"][name]
        section = page.split(f"### headgate-{name}")[1].split("###")[0]
        assert name == "clerk" or f"**{model['threshold']:.3f}**" in section
        for task, sets in model["tasks"].items():
            row = next(line for line in section.splitlines() if line.startswith(f"| {task} |"))
            shown = [
                f"{cell['share']:.2f} ({cell['low']:.2f}-{cell['high']:.2f}, n={cell['n']})"
                for cell in sets.values()
            ]
            assert all(figure in row for figure in shown)


def test_the_measured_sizes_are_those_of_the_shipped_files():
    found = json.loads(EVALUATION.read_text("utf-8"))
    for name, model in found["models"].items():
        assert model["bytes"] == (SHIPPED / f"headgate-{name}.gguf").stat().st_size


def test_the_thousand_mails_of_the_story_tests_are_a_thousand_different_ones_and_no_category_is_rare():
    mails = [json.loads(line) for line in MAILS.read_text("utf-8").splitlines()]
    assert len({mail["id"] for mail in mails}) == len({mail["text"] for mail in mails}) == 1000
    shares = Counter(mail["categories"][0] for mail in mails if mail["categories"])
    assert set(shares) == {"billing", "technical", "feature-request", "escalation"}
    assert min(shares.values()) > 230
    told = dict(re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", MAILS_PAGE.read_text("utf-8"), re.MULTILINE))
    counted = Counter(mail["kind"] for mail in mails)
    assert {kind: str(counted[kind]) for kind in told} == told
    assert {len(mail["categories"]) for mail in mails if mail["kind"] == "two-matters"} == {2}
    assert {len(mail["categories"]) for mail in mails if mail["kind"] == "no-matter"} == {0}
