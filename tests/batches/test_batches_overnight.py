"""`--by`: what is paid waits for the provider's batch API, at half price. The engine at home is real, the providers are doubles."""

import json
import signal
from time import monotonic, sleep

import httpx2
import pytest
from batch_shell import NANO

from headgate.ledger.queries import LedgerReader
from headgate.testing import AnthropicDouble, Fault, OpenAIDouble

CLAUDE = """
[engines.cloud]
kind = "anthropic"
url = "{url}"
key = "env:TEST_KEY"

[models.paid]
engine = "cloud"
id = "claude-sonnet-5-5"
price = {{ input = 1000, output = 5000 }}
"""

GPT = """
[engines.cloud]
kind = "openai"
url = "{url}/v1"
key = "env:TEST_KEY"

[models.paid]
engine = "cloud"
id = "gpt-4o"
price = {{ input = 1000, output = 5000 }}
"""

UNSURE = """
[agents.unsure]
system = "Classify this support email as billing, technical, feature-request or escalation."
labels = ["billing", "technical", "feature-request", "escalation"]
try = ["nano", "paid"]
threshold = 0.9999999
max_tokens = 12
"""

PROVIDERS = {"anthropic": (AnthropicDouble, CLAUDE), "openai": (OpenAIDouble, GPT)}
BY = ("--by", "8h", "--poll", "50ms", "--json")


@pytest.fixture(params=PROVIDERS)
def cloud(request, shell):
    pytest.importorskip("xllamacpp")
    kind, page = PROVIDERS[request.param]
    with kind(answer="billing").in_thread() as double:
        shell.write(NANO + page.format(url=double.url) + UNSURE)
        yield double


@pytest.fixture
def claude(shell):
    pytest.importorskip("xllamacpp")
    with AnthropicDouble(answer="billing").in_thread() as double:
        shell.write(NANO + CLAUDE.format(url=double.url) + UNSURE)
        yield double


def letters(many):
    return [f"I was charged twice for order {n}." for n in range(many)]


def live(double):
    """The calls that asked a model live."""
    return [call for call in double.calls if call.path in double.work_paths]


def made(double):
    """The calls that made a batch."""
    return [call for call in double.calls if call.method == "POST" and call.path.endswith("/batches")]


def paid_rows(shell):
    with LedgerReader(shell.home / "data" / "ledger.db") as ledger:
        return [one.outcome for one in ledger.all() if one.outcome.model == "paid"]


def test_what_is_unsure_at_home_is_answered_in_the_providers_batch_at_half_price(shell, cloud):
    shell.items(letters(6))
    said = shell(*shell.batch(*BY, agent="unsure"))
    assert said.code == 0, said.err + said.out
    lines = shell.results()
    assert [line["item"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert {(line["status"], line["label"], line["model"]) for line in lines} == {
        ("escalated", "billing", "paid")
    }
    assert all("nano" in line["reason"] for line in lines), "why a paid model was asked"
    assert (len(live(cloud)), len(made(cloud))) == (0, 1)
    rows = paid_rows(shell)
    assert len(rows) == 6
    for line in lines:
        row = next(row for row in rows if row.id in line["requests"])
        usage = row.usage
        assert row.cost == pytest.approx((usage.input * 1000 + usage.output * 5000) / 1e6 / 2)
        assert line["cost"] == pytest.approx(row.cost)
        assert "provider batch" in row.decision.why
        assert row.baseline_cost > 0
    assert said.events[-1]["cost"] == pytest.approx(sum(row.cost for row in rows))
    assert any("6 items wait for the batch" in event.get("text", "") for event in said.events)
    assert not (shell.home / "results.jsonl.jobs").exists()
    calls = len(cloud.calls)
    assert shell(*shell.batch(*BY, agent="unsure")).code == 0
    assert len(cloud.calls) == calls, "nothing is asked again"


def wait_for(what):
    until = monotonic() + 40
    while not what():
        assert monotonic() < until
        sleep(0.02)


def test_a_killed_command_goes_on_with_the_same_job_and_pays_once(shell, cloud):
    cloud.play.held = True
    shell.items(letters(4))
    process = shell.start(*shell.batch(*BY, agent="unsure"))
    jobs = shell.home / "results.jsonl.jobs"
    wait_for(lambda: jobs.exists() and b'"submitted"' in jobs.read_bytes())
    process.kill()
    process.communicate()
    assert all(line["reason"].startswith("waits for a batch of paid; nano: ") for line in shell.results())
    cloud.play.held = False
    said = shell(*shell.batch(*BY, agent="unsure"))
    assert said.code == 0, said.err + said.out
    assert (len(live(cloud)), len(made(cloud))) == (0, 1)
    assert len(paid_rows(shell)) == 4


def test_a_job_whose_id_was_never_written_down_is_found_again(shell, cloud):
    cloud.play.held = True
    shell.items(letters(3))
    process = shell.start(*shell.batch(*BY, agent="unsure"))
    jobs = shell.home / "results.jsonl.jobs"
    wait_for(lambda: jobs.exists() and b'"submitted"' in jobs.read_bytes())
    process.kill()
    process.communicate()
    jobs.write_bytes(jobs.read_bytes().splitlines(keepends=True)[0])  # killed between the two
    cloud.play.held = False
    said = shell(*shell.batch(*BY, agent="unsure"))
    assert said.code == 0, said.err + said.out
    assert (len(live(cloud)), len(made(cloud))) == (0, 1)
    assert any("was handed over before" in event.get("text", "") for event in said.events)


def test_a_job_that_was_planned_and_never_arrived_is_handed_over_anew(shell, cloud):
    cloud.play.held = True
    shell.items(letters(3))
    process = shell.start(*shell.batch(*BY, agent="unsure"))
    jobs = shell.home / "results.jsonl.jobs"
    wait_for(lambda: jobs.exists() and b'"submitted"' in jobs.read_bytes())
    process.kill()
    process.communicate()
    jobs.write_bytes(jobs.read_bytes().splitlines(keepends=True)[0])
    cloud.batches.jobs.clear()
    cloud.play.held = False
    said = shell(*shell.batch(*BY, agent="unsure"))
    assert said.code == 0, said.err + said.out
    assert (len(live(cloud)), len(made(cloud))) == (0, 2)


def test_items_that_fail_or_expire_in_the_batch_are_asked_live(shell, cloud):
    shell.items(letters(5))
    fates = {1: "errored", 2: "expired"}
    cloud.play.fate = lambda name: fates.get(int(name.split("-")[1]), "succeeded")
    cloud.play.wrong_line = b"<html>not a line</html>"
    said = shell(*shell.batch(*BY, agent="unsure"))
    assert said.code == 0, said.err + said.out
    lines = shell.results()
    assert {line["status"] for line in lines} == {"escalated"}
    assert len(live(cloud)) == 2
    assert lines[0]["cost"] == pytest.approx(2 * lines[2]["cost"], rel=0.01), "live is twice as dear"


def test_a_batch_that_the_provider_refuses_is_asked_live(shell, cloud):
    shell.items(letters(2))
    cloud.play.invalid = "no such model in batches"
    said = shell(*shell.batch(*BY, agent="unsure"))
    assert said.code == 0, said.err + said.out
    assert len(live(cloud)) == 2
    assert any("no such model in batches" in event.get("text", "") for event in said.events)


def test_when_the_time_is_up_the_job_is_cancelled_and_the_rest_is_asked_live(shell, cloud):
    cloud.play.held, cloud.play.done_when_cancelled = True, 2
    shell.items(letters(5))
    said = shell(*shell.batch("--by", "6s", "--poll", "50ms", "--json", agent="unsure"))
    assert said.code == 0, said.err + said.out
    assert {line["status"] for line in shell.results()} == {"escalated"}
    assert len(live(cloud)) == 3
    costs = sorted(line["cost"] for line in shell.results())
    assert costs[1] < 0.6 * costs[2], "two at half price, three at the full one"


def test_an_answer_that_fails_its_checks_is_incomplete_where_nobody_else_can_be_asked(shell, cloud):
    cloud.answer = "perhaps"
    shell.items(letters(2))
    said = shell(*shell.batch(*BY, agent="unsure"))
    assert said.code == 1
    lines = shell.results()
    assert all(line["status"] in ("failed", "incomplete") for line in lines)
    assert all(line["cost"] > 0 for line in lines), "it was paid all the same"
    assert len(made(cloud)) == 1
    assert not live(cloud)


def test_a_budget_holds_at_half_price_too(shell, claude):
    shell.items(letters(40))
    said = shell(*shell.batch(*BY, "--budget", "0.50", agent="unsure"))
    assert said.code == 1
    lines = shell.results()
    paid = [line for line in lines if line["cost"]]
    assert 0.4 < sum(line["cost"] for line in paid) <= 0.5
    others = [line for line in lines if not line["cost"]]
    assert {line["status"] for line in others} == {"incomplete"}
    assert all("the budget of $0.50 is used up" in line["reason"] for line in others)
    assert said.events[-1]["over_budget"]
    assert len(made(claude)) > 1, "what the first job left of the money goes into a second"
    assert len(live(claude)) <= 1


def test_a_stopped_command_says_that_the_job_goes_on_and_how_to_collect_it(shell, claude):
    claude.play.held = True
    shell.items(letters(2))
    process = shell.start(*shell.batch("--by", "8h", "--poll", "50ms", agent="unsure"))
    jobs = shell.home / "results.jsonl.jobs"
    wait_for(lambda: jobs.exists() and b'"submitted"' in jobs.read_bytes())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the batch msgbatch_00000001 of 2 items goes on at cloud; the same command collects it" in err
    assert "next: headgate agents run unsure --batch in.jsonl --out results.jsonl --by 8h" in out
    refused = shell(*shell.batch("--retry", "incomplete", agent="unsure"))
    assert refused.code == 2
    assert "2 items wait for a batch of cloud" in refused.err
    claude.play.held = False
    assert shell(*shell.batch(*BY, agent="unsure")).code == 0
    assert len(made(claude)) == 1


def test_a_provider_that_stumbles_on_a_look_is_looked_at_again(shell, claude):
    shell.items(letters(2))
    claude.inject(Fault.server_error(), path="/v1/messages/batches", times=1)
    claude.inject(Fault.server_error(), path="/v1/messages/batches/msgbatch_00000001", times=2)
    said = shell(*shell.batch(*BY, agent="unsure"))
    assert said.code == 0, said.err + said.out
    assert not live(claude)
    assert len(claude.batches.jobs) == 1


def test_a_dry_run_counts_with_half_the_price(shell, claude):
    shell.items(letters(10))
    full = json.loads(shell(*shell.batch("--dry-run", "--json", agent="unsure")).out)
    half = json.loads(shell(*shell.batch("--dry-run", "--json", "--by", "08:00", agent="unsure")).out)
    assert half["models"][1]["cost"][1] == pytest.approx(full["models"][1]["cost"][1] / 2)
    assert (full["half_price"], half["half_price"]) == (None, "paid")
    shown = shell(*shell.batch("--dry-run", "--by", "08:00", agent="unsure")).out
    assert "paid is asked in a batch of its provider's, at half price, until 08:00" in shown


def test_without_anybody_who_takes_batches_all_is_asked_live_and_that_is_said(shell, claude):
    shell.items(letters(1))
    said = shell(*shell.batch("--by", "8h", agent="kind"))
    assert said.code == 0
    assert "nothing waits for half price: kind asks no paid model" in said.err


@pytest.mark.parametrize("word", ["25:00", "soon", "2001-01-01T00:00", "0s"])
def test_a_time_that_is_none_is_refused(shell, claude, word):
    shell.items(letters(1))
    said = shell(*shell.batch("--by", word, agent="unsure"))
    assert said.code == 2
    assert "--by 08:00" in said.err


def test_what_must_stay_at_home_is_in_no_batch(shell, claude):
    page = (shell.home / "headgate.toml").read_text()
    shell.write(page.replace("max_tokens = 12", "max_tokens = 12\nlocal_only = true"))
    shell.items(letters(2))
    shell(*shell.batch(*BY, agent="unsure"))
    assert not claude.calls


def test_an_open_gate_judges_and_records_what_the_batch_answered(shell, cloud):
    gate = shell.start("up")
    try:
        while " is open at " not in (said := gate.stderr.readline()):
            assert said, "the gate did not open"
        shell.items(letters(3))
        said = shell(*shell.batch(*BY, agent="unsure"))
        assert said.code == 0, said.err + said.out
        assert {(line["status"], line["model"]) for line in shell.results()} == {("escalated", "paid")}
        assert (len(live(cloud)), len(made(cloud))) == (0, 1)
    finally:
        gate.terminate()
        gate.communicate()
    rows = paid_rows(shell)
    assert len(rows) == 3
    assert all("provider batch" in row.decision.why for row in rows)


def test_the_days_limit_holds_in_batches_too(shell, claude):
    page = (shell.home / "headgate.toml").read_text()
    shell.write(page + "\n[limits]\npaid_per_day = 0.3\n")
    shell.items(letters(30))
    said = shell(*shell.batch(*BY, agent="unsure"))
    assert 0.1 < sum(line["cost"] for line in shell.results()) <= 0.3
    assert "the day has $0.30 left of $0.30" in said.err


def test_a_large_batch_is_several_jobs(shell, cloud, monkeypatch):
    """Through the library, because only there a job can be made small."""
    from headgate.engines import anthropic_batches, openai_batches

    for kind in (anthropic_batches.AnthropicBatches, openai_batches.OpenAIBatches):
        monkeypatch.setattr(kind, "most_requests", 3)
    monkeypatch.chdir(shell.home)
    for name, value in shell.env.items():
        monkeypatch.setenv(name, value)
    shell.items(letters(7))
    from click.testing import CliRunner

    from headgate.cli.main import command

    said = CliRunner().invoke(command, [*shell.batch(*BY, agent="unsure")])
    assert said.exit_code == 0, said.output
    assert len(made(cloud)) == 3
    assert {line["status"] for line in shell.results()} == {"escalated"}


def test_the_providers_batch_prices_are_half_of_their_list_prices():
    """The price list names them for Anthropic's models; what is charged here is half of what it names otherwise."""
    from genai_prices import data_snapshot

    from headgate.config.prices import find_price
    from headgate.core.batching import batch_price

    for name in ("claude-sonnet-5-5", "claude-haiku-5-5"):
        _, info = data_snapshot.get_snapshot().find_provider_model(name, None, "anthropic", None)
        entry = next(
            one for one in (info.prices if isinstance(info.prices, list) else [info]) if "batch" in repr(one)
        )
        found = batch_price(find_price(name, "anthropic"))
        variants = getattr(entry, "price_variants", None) or entry.prices.price_variants
        batch = next(one.prices for one in variants if one.when == {"processing": "batch"})
        for ours, listed in (
            (found.input, batch.input_mtok),
            (found.output, batch.output_mtok),
            (found.cache_read, batch.cache_read_mtok),
        ):
            assert ours == pytest.approx(float(getattr(listed, "base", listed))), name


def test_a_file_of_jobs_that_is_none_is_named_with_its_line_and_nothing_is_asked(shell, claude):
    shell.items(letters(2))
    (shell.home / "results.jsonl.jobs").write_text('{"event":"closed","mark":"a"}\nnonsense\n')
    said = shell(*shell.batch(*BY, agent="unsure"))
    assert said.code == 2
    assert "results.jsonl.jobs line 2 is no step of a job" in said.err
    assert not claude.calls


def test_a_step_that_was_written_half_was_never_taken(shell, claude):
    shell.items(letters(2))
    (shell.home / "results.jsonl.jobs").write_text('{"event":"planned","mark":"a","ba')
    assert shell(*shell.batch(*BY, agent="unsure")).code == 0
    assert len(made(claude)) == 1


def test_what_its_route_keeps_at_home_is_in_no_batch_and_not_asked_live(shell, claude):
    page = (shell.home / "headgate.toml").read_text()
    private = '[[routes]]\nname = "private"\nlanguages = ["de"]\nlocal_only = true\ntry = ["nano"]\n\n'
    shell.write(page.replace("[[routes]]", private + "[[routes]]", 1))
    german = "Sehr geehrte Damen und Herren, mir wurde der Betrag für die Bestellung im letzten Monat leider zweimal abgebucht."
    shell.items([german, *letters(1)])
    said = shell(*shell.batch(*BY, agent="unsure"))
    assert said.code == 1, said.err
    first, second = shell.results()
    assert (first["status"], first["model"], first["output"]) == ("incomplete", "nano", first["label"])
    assert first["label"]
    assert first["reason"].startswith("it stays on the user's machines, so no paid model is asked; nano: ")
    assert (second["status"], second["model"]) == ("escalated", "paid")
    assert not live(claude)
    (sent,) = made(claude)
    assert b"Betrag" not in sent.body
    assert not any(b"Betrag" in call.body for call in claude.calls)


def test_what_is_too_long_for_the_model_is_in_no_batch(shell, claude):
    page = (shell.home / "headgate.toml").read_text()
    shell.write(page.replace('id = "claude-sonnet-5-5"', 'id = "claude-sonnet-5-5"\ncontext = 400'))
    shell.items(["I was charged twice. " * 120, *letters(1)])
    shell(*shell.batch(*BY, agent="unsure"))
    (sent,) = made(claude)
    assert sent.body.count(b"custom_id") == 1


def test_a_hand_over_whose_answer_is_lost_is_found_again_before_anything_is_handed_over(shell, cloud):
    shell.items(letters(3))
    path = "/v1/messages/batches" if "Anthropic" in type(cloud).__name__ else "/v1/batches"
    cloud.inject(Fault.cut_before_headers(), path=path, times=1)  # it is made, and nobody is told
    cloud.inject(Fault.server_error(), path=path, times=1)  # then the list stumbles
    said = shell(*shell.batch(*BY, agent="unsure"))
    assert said.code == 0, said.err + said.out
    assert (len(live(cloud)), len(made(cloud)), len(cloud.batches.jobs)) == (0, 1, 1)


def test_a_job_whose_results_cannot_be_had_just_then_is_not_taken_for_anothers(shell, claude):
    claude.play.held = True
    shell.items(letters(3))
    process = shell.start(*shell.batch(*BY, agent="unsure"))
    jobs = shell.home / "results.jsonl.jobs"
    wait_for(lambda: jobs.exists() and b'"submitted"' in jobs.read_bytes())
    process.kill()
    process.communicate()
    jobs.write_bytes(jobs.read_bytes().splitlines(keepends=True)[0])
    claude.play.held = False
    with httpx2.Client(headers={"x-api-key": "x", "anthropic-version": "2023-06-01"}) as client:
        job = f"{claude.url}/v1/messages/batches/msgbatch_00000001"
        wait_for(lambda: client.get(job).json()["processing_status"] == "ended")
    claude.inject(Fault.server_error(), path="/v1/messages/batches/msgbatch_00000001/results", times=1)
    said = shell(*shell.batch(*BY, agent="unsure"))
    assert said.code == 0, said.err + said.out
    assert (len(live(claude)), len(made(claude))) == (0, 1)


def test_inputs_that_came_in_between_move_the_others_and_nothing_is_handed_over_twice(shell, cloud):
    cloud.play.held = True
    shell.items(letters(3))
    process = shell.start(*shell.batch(*BY, agent="unsure"))
    jobs = shell.home / "results.jsonl.jobs"
    wait_for(lambda: jobs.exists() and b'"submitted"' in jobs.read_bytes())
    process.kill()
    process.communicate()
    cloud.play.held = False
    shell.items(["I was charged before all the others.", *letters(3)])
    said = shell(*shell.batch(*BY, agent="unsure"))
    assert said.code == 0, said.err + said.out
    assert [line["status"] for line in shell.results()] == ["escalated"] * 4
    assert (len(live(cloud)), len(made(cloud)), len(paid_rows(shell))) == (0, 2, 4)


def test_inputs_of_one_content_share_no_answer_and_lose_none(shell, cloud):
    shell.items([*letters(1) * 3, *letters(2)])
    cloud.play.fate = lambda name: "errored" if name.split("-")[1] == "2" else "succeeded"
    said = shell(*shell.batch(*BY, agent="unsure"))
    assert said.code == 0, said.err + said.out
    assert "Traceback" not in said.err
    assert "exception" not in said.err
    assert [line["status"] for line in shell.results()] == ["escalated"] * 5
    assert (len(live(cloud)), len(paid_rows(shell))) == (1, 5)


def test_a_job_that_could_not_be_cancelled_is_cancelled_again(shell, cloud):
    cloud.play.held, cloud.play.done_when_cancelled = True, 2
    shell.items(letters(2))
    process = shell.start(*shell.batch("--by", "8s", "--poll", "50ms", "--json", agent="unsure"))
    wait_for(lambda: made(cloud))
    (path,) = {call.path for call in made(cloud)}
    wait_for(lambda: cloud.batches.jobs)
    cloud.inject(Fault.server_error(), path=f"{path}/{next(iter(cloud.batches.jobs))}/cancel", times=1)
    out, err = process.communicate(timeout=40)
    assert process.returncode == 0, out + err
    assert not live(cloud), "both were answered before the job was cancelled, and are paid"


def test_results_larger_than_any_live_answer_may_be_are_collected(shell, claude):
    shell.items(letters(2))
    claude.play.wrong_line = b"\n".join([b"x" * 1_000_000] * 70)
    said = shell(*shell.batch(*BY, agent="unsure"))
    assert said.code == 0, said.err + said.out
    assert (len(live(claude)), len(made(claude))) == (0, 1)
