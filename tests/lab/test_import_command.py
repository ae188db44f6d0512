"""`headgate import`: what a sceptical owner runs first, on exports as other programs write them."""

import gzip
import json
import os
import re
import zipfile
from pathlib import Path

import export_samples
import pytest
from export_samples import SIZES, WITH_PROMPTS, lines

from headgate.lab.proof import RIGHT
from prepared_python import headgate

DOCS = Path(__file__).parents[2] / "docs"

NANO = """
[engines.home]
kind = "llamacpp"
[engines.cloud]
kind = "anthropic"
key = "env:NOT_SET"
[models.nano]
engine = "home"
id = "headgate-nano"
[models.claude]
engine = "cloud"
id = "claude-sonnet-5-5"
[[routes]]
name = "long"
tokens_over = 2000
try = ["claude"]
[[routes]]
name = "all"
try = ["nano", "claude"]
"""


class Desk:
    """An empty home with an export in it."""

    def __init__(self, home):
        home.mkdir()
        self.home = home
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
        self.env = kept | {"HOME": str(home), "NO_COLOR": "1"}

    def write(self, content, name="export"):
        path = self.home / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    def __call__(self, *args):
        return headgate("import", *args, cwd=self.home, env=self.env)

    def proof(self, *args):
        done = self(*args, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "home")


@pytest.mark.parametrize("kind", WITH_PROMPTS)
def test_every_format_with_prompts_tells_which_calls_would_have_gone_home(desk, kind):
    proof = desk.proof(kind, desk.write(WITH_PROMPTS[kind]()))
    assert (proof["calls"], proof["unread"], proof["cost_unknown"]) == (3, 0, 0)
    assert {line["name"] for line in proof["home"]} == {"short summaries -> llama", "labels -> phi"}
    assert proof["unknown"] == []
    assert [line["calls"] for line in proof["cloud"]] == [1]
    assert proof["window"][2] == sum(SIZES[0])


@pytest.mark.parametrize("kind", ["litellm", "langfuse", "helicone"])
def test_what_was_billed_counts_and_not_a_list_price(desk, kind):
    proof = desk.proof(kind, desk.write(WITH_PROMPTS[kind]()))
    assert proof["billed"] == 3
    assert proof["cost"] == pytest.approx(0.004 + 0.008 + 0.012)


def test_where_nothing_was_billed_the_list_price_of_the_day_counts_with_its_cache(desk):
    proof = desk.proof("anthropic", desk.write(export_samples.anthropic()))
    fresh = sum(prompt - 200 for prompt, _ in SIZES)
    expected = (fresh * 2 + 600 * 0.1 + sum(output for _, output in SIZES) * 10) / 1e6
    assert proof["billed"] == 0
    assert proof["cost"] == pytest.approx(expected)


def test_what_is_saved_is_a_range_that_begins_at_nothing_until_something_is_measured(desk):
    shown = desk("jsonl", desk.write(export_samples.jsonl())).stdout
    assert "$0.00 to $" in shown
    assert "no answer from home was measured" in shown
    assert "3 calls that cost $0.0286" in shown
    proof = desk.proof("jsonl", "export")
    at_home = sum(line["cost"] for line in proof["home"])
    assert proof["saved"]["low"] == 0
    assert proof["saved"]["high"] >= at_home
    assert proof["per_tenth"] == pytest.approx(at_home / 10)


def test_sums_of_a_day_are_priced_and_said_to_be_beyond_judgement(desk):
    proof = desk.proof("openai", desk.write(export_samples.openai_usage()))
    assert (proof["calls"], proof["home"]) == (900, [])
    assert proof["cost"] == pytest.approx((800_000 * 2.5 + 200_000 * 1.25 + 50_000 * 10) / 1e6)
    assert [line["name"] for line in proof["unknown"]] == ["the export tells sums, and no single call"]
    assert proof["simple"] == {"low": 0.0, "high": 1.0}


def test_a_console_export_tells_no_number_of_calls_and_is_shown_so(desk):
    done = desk("anthropic", desk.write(export_samples.anthropic_console()))
    assert done.returncode == 0
    assert "not told" in done.stdout
    proof = desk.proof("anthropic", "export")
    assert proof["cost"] == pytest.approx((1_000_000 * 2 + 20_000 * 2.5 + 300_000 * 0.1 + 90_000 * 10) / 1e6)


def test_usage_without_prompts_cannot_be_judged(desk):
    call = {"model": "gpt-4o", "usage": {"prompt_tokens": 300, "completion_tokens": 20}}
    proof = desk.proof("jsonl", desk.write(lines([call] * 4)))
    assert (proof["calls"], proof["home"], proof["simple"]["low"]) == (4, [], 0.0)
    assert proof["unknown"][0]["name"] == "the export holds no prompt, so its task is unknown"


def test_a_model_without_a_list_price_is_unknown_and_not_free(desk):
    call = {"model": "our-own-finetune", "usage": {"prompt_tokens": 300, "completion_tokens": 20}}
    done = desk("jsonl", desk.write(lines([call])))
    assert "1 call that cost an unknown sum" in done.stdout
    assert "The cost of 1 call is unknown and in no sum" in done.stdout


@pytest.mark.parametrize(
    ("asked", "is_really"), [("openai", "litellm"), ("helicone", "langfuse"), ("litellm", "helicone")]
)
def test_an_export_of_another_program_is_recognised(desk, asked, is_really):
    done = desk(asked, desk.write(WITH_PROMPTS[is_really]()))
    assert done.returncode == 2
    assert f"headgate import {is_really}" in done.stderr


def test_a_line_that_cannot_be_read_is_named_and_the_rest_goes_on(desk):
    good = export_samples.jsonl().splitlines()
    desk.write("\n".join([good[0], "{not json", '"text"', '{"usage": {}}', *good[1:]]), "calls.jsonl")
    done = desk("jsonl", "calls.jsonl")
    assert done.returncode == 0
    assert re.search(r"calls\.jsonl:2: it is no JSON", done.stderr)
    assert "calls.jsonl:3: it is no object" in done.stderr
    assert "calls.jsonl:4: it names no model" in done.stderr
    assert "3 records could not be read" in done.stdout
    assert desk.proof("jsonl", "calls.jsonl")["calls"] == 3


def test_a_json_document_that_was_cut_off_tells_what_it_still_holds(desk):
    whole = export_samples.litellm()
    proof = desk.proof("litellm", desk.write(whole[: int(len(whole) * 0.9)]))
    assert (proof["calls"], proof["unread"]) == (2, 1)


def test_a_csv_row_with_too_few_cells_is_named(desk):
    done = desk("helicone", desk.write(export_samples.helicone() + "req-9,2026\n", "export.csv"))
    assert "export.csv:5: it has 2 cells, and the first line names 9 columns" in done.stderr


@pytest.mark.parametrize("form", ["gz", "zip", "bom", "crlf"])
def test_an_export_may_be_packed_or_come_from_another_system(desk, form):
    plain = export_samples.jsonl().encode()
    name = "calls.jsonl"
    if form == "gz":
        name = desk.write(gzip.compress(plain), "calls.jsonl.gz")
    elif form == "zip":
        name = "calls.zip"
        with zipfile.ZipFile(desk.home / name, "w") as archive:
            archive.writestr("calls.jsonl", plain)
    elif form == "bom":
        desk.write(b"\xef\xbb\xbf" + plain, name)
    else:
        desk.write(plain.replace(b"\n", b"\r\n"), name)
    assert desk.proof("jsonl", name)["calls"] == 3


def test_the_same_call_in_two_files_counts_once(desk):
    desk.write(export_samples.jsonl(), "october.jsonl")
    desk.write(export_samples.jsonl(), "again.jsonl")
    proof = desk.proof("jsonl", "october.jsonl", "again.jsonl")
    assert (proof["calls"], proof["doubles"]) == (3, 3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        (b"%PDF-1.7\n", "is no text"),
        ("just words\n", "begins with neither JSON nor the columns"),
        ("{}\n", "there is no call in"),
        ("[]\n", "there is no call in"),
    ],
)
def test_a_file_that_is_no_export_is_an_error_that_says_what_to_do(desk, content, said):
    done = desk("jsonl", desk.write(content))
    assert done.returncode == 2
    assert said in done.stderr
    assert "hint:" in done.stderr


def test_files_that_are_not_there_and_folders_are_named(desk):
    assert "cannot be read" in desk("jsonl", "nothing.jsonl").stderr
    (desk.home / "logs").mkdir()
    assert "logs/*.jsonl" in desk("jsonl", "logs").stderr


def test_costs_without_calls_are_refused_with_what_to_export_instead(desk):
    rows = "start_time,amount_value,amount_currency,line_item\n1791849600,12.5,usd,gpt-4o\n"
    done = desk("openai", desk.write(rows))
    assert done.returncode == 2
    assert "export the usage of completions" in done.stderr


def test_a_sample_that_really_runs_narrows_the_range_and_writes_no_ledger(desk):
    (desk.home / "headgate.toml").write_text(
        NANO + "[energy]\nwatts = 100\nidle_watts = 0\nprice_per_kwh = 0.3\n"
    )
    ask = "Is this e-mail billing, technical, feature-request or escalation? I was charged twice this month."
    calls = [
        {
            "id": str(n),
            "model": "gpt-4o",
            "usage": {"prompt_tokens": 60, "completion_tokens": 4},
            "messages": export_samples.messages(ask),
        }
        for n in range(40)
    ]
    desk.write(lines(calls), "calls.jsonl")
    wide = desk.proof("jsonl", "calls.jsonl")
    narrow = desk.proof("jsonl", "calls.jsonl", "--run", "12")
    (task,) = narrow["tasks"]
    assert task["rate"]["of"] == 12
    assert narrow["measured"]
    assert narrow["saved"]["low"] > wide["saved"]["low"] == 0
    assert wide["energy_cost"] is None
    hour = 0.03  # dollars of one at 100 watts; forty short answers take seconds
    assert 0 < narrow["energy_cost"] < hour
    assert list(desk.home.rglob("ledger.db")) == []


def test_a_sample_of_nothing_is_refused(desk):
    (desk.home / "headgate.toml").write_text(NANO)
    done = desk("openai", desk.write(export_samples.openai_usage()), "--run", "5")
    assert done.returncode == 2
    assert "there is nothing to run" in done.stderr


def test_markdown_and_a_file_are_written(desk):
    done = desk("jsonl", desk.write(export_samples.jsonl()), "--format", "md", "--out", "proof.md")
    assert done.stdout == ""
    assert (desk.home / "proof.md").read_text().startswith("# What last month's calls say")


def test_the_classifiers_error_is_the_one_that_its_page_tells():
    held = re.search(r"\| \*\*held\*\* \| (\d+) \|[^|]*\| ([\d.]+)% \|", (DOCS / "classifier.md").read_text())
    assert int(held[1]) == RIGHT[1]
    assert float(held[2]) == pytest.approx(100 * RIGHT[0] / RIGHT[1], abs=0.05)
