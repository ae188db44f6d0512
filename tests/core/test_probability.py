"""The probability of a label is worked out from token log-probabilities, however the tokens are cut."""

from math import exp, log

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from headgate.core.probability import label_probabilities

LABELS = ("billing", "technical", "feature-request", "escalation")


def token(text: str | bytes, share: float, others: dict[str, float] | None = None):
    """A token that was said with this probability, and what might have been said instead."""

    def entry(one, p):
        raw = one if isinstance(one, bytes) else one.encode()
        return {
            "token": raw.decode("utf-8", "replace"),
            "logprob": log(p) if p else -1e30,
            "bytes": list(raw),
        }

    top = [entry(text, share), *(entry(other, p) for other, p in (others or {}).items())]
    return entry(text, share) | {"top_logprobs": top}


def probabilities(tokens, labels=LABELS, field=""):
    text = b"".join(bytes(one["bytes"]) for one in tokens).decode("utf-8", "replace")
    return label_probabilities(Raw(msgspec.json.encode(tokens)), text, labels, field)


def near(found, **expected):
    want = {label.replace("_", "-"): share for label, share in expected.items()}
    return found == pytest.approx(dict.fromkeys(found, 0.0) | want, abs=1e-9)


def test_a_label_of_one_token_has_the_share_of_what_leads_to_a_label():
    found = probabilities([token("billing", 0.6, {"technical": 0.2, "The": 0.1, "\n": 0.05})])
    assert near(found, billing=0.75, technical=0.25)


def test_a_label_of_several_tokens_is_walked_to_its_end():
    found = probabilities(
        [
            token("b", 0.5, {"tech": 0.3, "feature": 0.2}),
            token("ill", 0.9, {"ug": 0.1}),
            token("ing", 1.0, {"ed": 0.0}),
        ]
    )
    assert near(found, billing=0.5, technical=0.3, feature_request=0.2)


def test_a_label_that_begins_like_another_is_told_from_it_by_what_comes_after():
    labels = ("bug", "bug-report", "praise")
    longer = probabilities(
        [
            token("bug", 0.8, {"pr": 0.2}),
            token("-", 0.25, {"<|im_end|>": 0.75}),
            token("report", 1.0, {"x": 0.0}),
        ],
        labels,
    )
    assert near(longer, bug=0.6, bug_report=0.2, praise=0.2)
    shorter = probabilities([token("bug", 0.8, {"pr": 0.2}), token("", 0.75, {"-": 0.25})], labels)
    assert near(shorter, bug=0.6, bug_report=0.2, praise=0.2)


def test_in_json_the_closing_quote_ends_a_label():
    labels = ("bug", "bug-report")
    opening = [token('{"', 1.0), token("kind", 1.0), token('": "', 1.0)]
    found = probabilities(
        [
            *opening,
            token("bug", 0.9, {"null": 0.1}),
            token('",', 0.6, {"-": 0.3, "s": 0.1}),
            token(' "x": 1}', 1.0),
        ],
        labels,
        "kind",
    )
    assert near(found, bug=2 / 3, bug_report=1 / 3)


@pytest.mark.parametrize(
    ("opening", "first", "other"),
    [
        ('{"category": "', "bill", "tech"),
        ('{"category": ', '"bill', '"tech'),
        ('{"category":', ' "bill', '"tech'),
        ('{"category"', ': "bill', ': "tech'),
        ('{ "reason": "category", "category" :\n', '\t"bill', ' "tech'),
        ('```json\n{"category": "', "bill", "tech"),
        ('{"inner": {"category": "technical"}, "category": "', "bill", "tech"),
        ('{"say \\"category\\": \\"x": 1, "category": "', "bill", "tech"),
    ],
)
def test_quotes_and_spaces_may_be_glued_to_a_label(opening, first, other):
    tokens = [
        token(opening, 1.0),
        token(first, 0.7, {other: 0.3}),
        token('ing"', 0.9, {"er": 0.1}),
        token("}", 1.0),
    ]
    assert near(probabilities(tokens, field="category"), billing=0.7, technical=0.3)


def test_an_alternative_may_glue_a_label_to_the_quote_that_was_said_alone():
    tokens = [
        token('{"category":', 1.0),
        token(' "', 0.6, {' "tech': 0.4}),
        token("billing", 0.5, {"escal": 0.5}),
        token('"}', 1.0),
    ]
    assert near(probabilities(tokens, field="category"), billing=0.3, technical=0.4, escalation=0.3)


def test_capitals_spaces_and_thoughts_do_not_hide_a_label():
    tokens = [
        token("<think>billing?</think>", 1.0),
        token("\n\n", 1.0),
        token(" Bill", 0.5, {" Tech": 0.25, "tech": 0.25}),
        token("ing", 1.0, {"": 0.0}),
        token(".", 1.0),
    ]
    found = label_probabilities(Raw(msgspec.json.encode(tokens)), "\n\n Billing.", LABELS, "")
    assert near(found, billing=0.5, technical=0.5)


def test_a_token_may_end_in_the_middle_of_a_letter():
    labels = ("Ärger", "Äpfel", "Lob")
    whole = "Ärger".encode()
    tokens = [
        token(whole[:1], 0.9, {"Lob": 0.1}),
        token(whole[1:3], 0.5, {"Äpf".encode()[1:]: 0.5}),
        token(whole[3:], 1.0),
    ]
    assert probabilities(tokens, labels) == pytest.approx({"Ärger": 0.45, "Äpfel": 0.45, "Lob": 0.1})


def test_figures_of_a_grammar_that_ruled_everything_else_out_are_as_good():
    tokens = [token('{"category": "', 1.0), token("billing", 0.75, {"technical": 0.25}), token('"}', 1.0)]
    assert near(probabilities(tokens, field="category"), billing=0.75, technical=0.25)


@pytest.mark.parametrize(
    ("tokens", "field"),
    [
        ([token("I", 0.9, {"billing": 0.1}), token(" think", 1.0)], ""),
        ([token("billing", 0.9)], ""),
        ([token('{"other": "billing"}', 0.9, {"x": 0.1})], "category"),
        ([token('{"category": null}', 0.9, {"x": 0.1})], "category"),
        ([token("", 0.9, {"x": 0.1})], ""),
        ([], ""),
    ],
    ids=["no label", "no alternatives", "no such field", "no text there", "nothing said", "no tokens"],
)
def test_what_the_tokens_do_not_tell_is_not_told(tokens, field):
    assert probabilities(tokens, field=field) == {}


def test_figures_that_are_none_are_no_evidence():
    assert label_probabilities(Raw(b'[{"token": 7}]'), "billing", LABELS, "") == {}
    odd = [{"token": "billing", "logprob": None, "top_logprobs": None}]
    assert label_probabilities(Raw(msgspec.json.encode(odd)), "billing", LABELS, "") == {}
    wrong = token("billing", 0.5, {"technical": 0.5})
    wrong["top_logprobs"][0]["logprob"] = wrong["logprob"] = 3.0
    assert probabilities([wrong])["billing"] == pytest.approx(1 / 1.5)


@st.composite
def told_by_a_model(draw):
    """A model that knows what it will say: labels, their probabilities, how each is cut, and noise beside every token."""
    heads = draw(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=5, unique=True))
    labels = tuple(head + draw(st.text("xyz -é", max_size=8)).strip() + "z" for head in heads)
    weights = [draw(st.floats(0.01, 1.0)) for _ in labels]
    shares = {label: weight / sum(weights) for label, weight in zip(labels, weights, strict=True)}
    cuts = {label: cut(draw, label.encode()) for label in labels}
    noise = draw(st.floats(0.0, 0.5))
    said = draw(st.sampled_from(labels))
    tokens, left = [], 1.0
    for step, piece in enumerate(cuts[said]):
        others = (
            {cuts[label][0]: shares[label] * (1 - noise) for label in labels if label != said}
            if step == 0
            else {}
        )
        share = (shares[said] if step == 0 else 1.0) * (1 - noise)
        tokens.append(token(piece, share, {**others, "!?": noise}))
        left *= share
    return labels, shares, tokens


def cut(draw, raw):
    """Bytes in random pieces."""
    at = sorted(draw(st.sets(st.integers(1, len(raw) - 1), max_size=4))) if len(raw) > 1 else []
    return [raw[a:b] for a, b in zip([0, *at], [*at, len(raw)], strict=True)]


@given(told_by_a_model())
def test_however_labels_are_cut_their_probabilities_come_out(told):
    labels, shares, tokens = told
    assert probabilities(tokens, labels) == pytest.approx(shares)
    as_json = [token('{"kind": "', 1.0), *tokens, token('"}', 1.0)]
    assert probabilities(as_json, labels, "kind") == pytest.approx(shares)


@given(
    st.lists(
        st.tuples(st.text('bilngtec -"', min_size=1, max_size=4), st.floats(-9, 0)), min_size=1, max_size=9
    ),
    st.data(),
)
def test_whatever_tokens_come_shares_are_shares_and_add_up(said, data):
    tokens = [
        token(
            text,
            exp(logprob),
            data.draw(st.dictionaries(st.text('bilngtec -"', max_size=4), st.floats(0.0, 1.0), max_size=4)),
        )
        for text, logprob in said
    ]
    for labels in (("bill", "billing", "tec"), LABELS):
        found = probabilities(tokens, labels)
        assert not found or sum(found.values()) == pytest.approx(1.0)
        assert all(0.0 <= share <= 1.0 + 1e-9 for share in found.values())
