"""`headgate conformance` as a person runs it: against the real gate, against a bad one, and against nobody."""

import json
import re

import pytest

from headgate.cli.conformance import PAGE
from headgate.testing import OpenAIDouble
from headgate.testing.conformance import CASES, FaultyUpstream
from headgate.testing.conformance.cases import BY_THE_FIRST, marked, note
from program_doubles import free_port

OUT_BY_THEN = {
    "cut-late",
    "reset-midway",
    "stall-late",
    "malformed-late",
    "error-event-late",
    "missing-done",
    "missing-finish",
    "cut-at-limit",
}
"""Cases whose damage shows when most of the stream has gone out, so that no other model can take over."""


def quick(page: str) -> str:
    """The page with little patience, so that silence costs the test no seconds."""
    page = re.sub(r'(first_token|between_tokens) = "2s"', r'\1 = "300ms"', page)
    return page.replace('answer_within = "10s"', 'answer_within = "6s"')


def through_our_gate(shell, *words: str, more: str = "") -> dict[tuple[str, bool], str]:
    """`headgate up` in front of the upstream, and the verdicts on it."""
    with FaultyUpstream().in_thread() as upstream:
        (shell.home / "key").write_text("none is needed")
        page = PAGE.format(listen="127.0.0.1:0", upstream=upstream.url, folder=shell.home)
        shell.write(quick(page) + more)
        gate = shell.start("up", "--json")
        try:
            url = json.loads(gate.stdout.readline())["url"]
            ran = shell("conformance", "--base-url", url, "--json", *words)
        finally:
            gate.terminate()
            gate.communicate(timeout=20)
    assert ran.code == 0, ran.err
    assert ran.json["totals"]["silent"] == 0
    return {(one["case"], one["stream"]): one["verdict"] for one in ran.json["findings"]}


def test_our_gate_fails_at_nothing_in_silence(shell):
    found = through_our_gate(shell)
    assert list(found) == [(case.name, case.stream) for case in CASES]
    failed = {key for key, verdict in found.items() if verdict != "survived"}
    assert failed == {(name, True) for name in OUT_BY_THEN}
    assert {found[key] for key in failed} == {"loud"}


def test_our_gate_survives_late_faults_too_if_it_holds_the_answer_first(shell):
    only = [word for name in sorted(OUT_BY_THEN) for word in ("--only", name)]
    found = through_our_gate(shell, *only, more='\n[streaming]\nmode = "hold"\n')
    assert {name for name, _ in found} == OUT_BY_THEN
    assert set(found.values()) == {"survived"}


def test_without_an_address_a_gate_of_our_own_is_tested(shell):
    ran = shell("conformance", "--only", "no-fault", "--only", "cut-late")
    assert ran.code == 0, ran.err
    lines = [line.split() for line in ran.out.splitlines()[2:]]
    assert [line[:4] for line in lines if line] == [
        ["no-fault", "whole", "survived", "0.0"],
        ["no-fault", "stream", "survived", "0.0"],
        ["cut-late", "stream", "failed", "loudly"],
    ]
    assert "2 survived, 1 failed loudly, 0 hung, 0 not reached, 0 failed silently" in ran.err
    assert list(shell.home.iterdir()) == []


def test_a_page_of_the_users_own_is_tested_where_the_upstream_listens(shell):
    port = free_port()
    (shell.home / "key").write_text("none is needed")
    shell.write(PAGE.format(listen="127.0.0.1:0", upstream=f"http://127.0.0.1:{port}", folder=shell.home))
    words = ("--config", "headgate.toml", "--listen", f"127.0.0.1:{port}", "--only", "error-200", "--json")
    ran = shell("conformance", *words)
    assert ran.code == 0, ran.err
    assert [one["verdict"] for one in ran.json["findings"]] == ["survived", "survived"]
    assert (shell.home / "ledger.db").exists()


def test_a_gateway_that_passes_half_an_answer_off_as_whole_makes_the_command_fail(shell):
    def say(call):
        name, request_id = marked(call.prompt)
        text = note(request_id) + BY_THE_FIRST
        return text if name == "no-fault" else text[:200]

    with OpenAIDouble(["first"], say, keys=["sk-test"]).in_thread() as gateway:
        words = ("--base-url", f"{gateway.url}/v1", "--model", "first", "--only", "cut-late")
        ran = shell("conformance", *words, "--key", "sk-test", "--header", "X-Team: canals")
        assert ran.code == 1
        assert "error: 1 case failed silently" in ran.err
        assert "200 characters of an answer that was cut, as if it were whole" in ran.out
        assert {call.headers["x-team"] for call in gateway.calls} == {"canals"}


def test_the_upstream_alone_is_served_until_it_is_told_to_stop(shell):
    served = shell.start("conformance", "--upstream", "--json")
    try:
        said = json.loads(served.stdout.readline())
        assert said["models"] == ["faulty", "good"]
        shell.write("")
        refused = shell("conformance", "--upstream", "--listen", said["url"].removeprefix("http://"))
        assert refused.code == 2
        assert "the upstream cannot listen" in refused.err
    finally:
        served.terminate()
        served.communicate(timeout=20)
    assert served.returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--only", "cut-lat"), ['there is no case "cut-lat"', 'did you mean "cut-late"?']),
        (("--header", "nonsense"), ['"nonsense" is no header']),
        (("--listen", "nowhere"), ["is not a host and a port"]),
    ],
)
def test_a_mistake_on_the_command_line_is_explained(shell, words, said):
    ran = shell("conformance", *words)
    assert ran.code == 2
    for text in said:
        assert text in ran.err
