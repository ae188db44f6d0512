"""The examples of docs/feedback.md and docs/judges.md, against a gate with the embedded engine."""

import json
import urllib.request

from docs_pages import DOCS, blocks, coded, rows

from headgate.core.judges import COMPARISONS
from headgate.core.words import JUDGES
from prepared_python import headgate

ASK = {
    "model": "auto",
    "messages": [{"role": "user", "content": "Is this review positive or negative? I loved it."}],
}


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return dict(reply.headers), json.loads(reply.read())


def test_the_feedback_of_the_page_is_taken_as_it_says(open_gate):
    (asked,) = blocks(DOCS / "feedback.md", "http")
    (told,) = blocks(DOCS / "feedback.md", "json")
    line, _, body = asked.text.partition("\n")
    headers, _ = post(f"{open_gate.url}/v1/chat/completions", ASK)
    assert headers["x-headgate-model"] in ("nano", "micro")
    given, wanted = json.loads(body.split("\n\n", 1)[1]), json.loads(told.text)
    given["id"] = wanted["id"] = headers["x-headgate-request-id"]
    assert line == "POST /v1/feedback"
    assert post(f"{open_gate.url}/v1/feedback", given)[1] == wanted


def test_the_official_client_can_say_it_too(open_gate):
    import openai

    (program,) = blocks(DOCS / "feedback.md", "python")
    names = {"client": openai.OpenAI(base_url=f"{open_gate.url}/v1", api_key="none")}
    exec(program.text, names)
    assert names["said"]["counts_as"] == "good"


def test_every_judge_stands_in_the_table():
    text = (DOCS / "judges.md").read_text(encoding="utf-8").partition("## How far")[0]
    assert {coded(cells[0])[0] for cells in rows(text)} == set(JUDGES)


def test_judges_are_measured_here_with_real_models(open_gate):
    order = ("audit", "judges", "--pairs", "2", "--json")
    done = headgate(*order, env=open_gate.environment, cwd=open_gate.folder)
    assert done.returncode == 0, done.stderr
    shipped = json.loads(done.stdout)["shipped"]
    found = {one["judge"]: one for one in shipped["judges"]}
    assert shipped["troubles"] == []
    assert 0 < shipped["threshold"] < 1
    assert all(found[judge]["rate"] == 1.0 for judge in COMPARISONS)
    assert found["similarity"]["by"] == "embed"
    assert found["similarity"]["pairs"] >= 10
    assert found["similarity"]["false_good"] == 0
    assert found["local model"]["by"] == "micro"
    told = headgate(*order[:2], "--labels-only", env=open_gate.environment, cwd=open_gate.folder)
    assert "2 pairs do not tell how good a judge micro is: it takes 60" in told.stderr
    assert "headgate audit judges --pairs 60" in told.stderr
    assert "nobody has tried yet" not in told.stderr
