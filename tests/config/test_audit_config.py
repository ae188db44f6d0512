"""[audit]: what it means, and what each mistake in it is told."""

import pytest
from test_config import SMALL

from headgate.config.load import parse_config, starter_text
from headgate.core.errors import ConfigError


def audit(lines, more=""):
    return parse_config(f"{SMALL}{more}\n[audit]\n{lines}\n", None, lambda *_: None).audit


def test_a_page_that_says_nothing_of_audits_has_none():
    settings = parse_config(SMALL, None, lambda *_: None).audit
    assert not settings.on
    assert not settings.checks_local


def test_the_starter_page_looks_at_a_few_paid_requests_and_sends_nothing_anywhere():
    settings = parse_config(starter_text(), None, lambda *_: None).audit
    assert (settings.sample, settings.local_sample, settings.paid_per_week) == (0.05, 0.02, 0.0)
    assert settings.on
    assert not settings.checks_local, "that takes money"
    assert settings.keep == 30 * 86_400
    assert settings.key is settings.key_reference is None


def test_the_words_of_the_page_become_seconds_and_secrets(monkeypatch):
    monkeypatch.setenv("AUDITS", "the secret")
    settings = audit(
        'sample = 1\nlocal_sample = 0.5\npaid_per_week = 2\nkeep = "7d"\nkey = "env:AUDITS"\njudge = "llama"\nidle_for = "0s"'
    )
    assert (settings.keep, settings.idle_for, settings.judge) == (7 * 86_400, 0.0, "llama")
    assert settings.key == "the secret"
    assert settings.checks_local
    assert "the secret" not in repr(settings)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sample = 1.5", ["line 23", "sample is 1.5", "between 0 and 1"]),
        ("local_sample = -0.1", ["line 23", "local_sample is -0.1"]),
        ("paid_per_week = -1.0", ["line 23", "paid_per_week is -1.0", "negative"]),
        ('keep = "a while"', ["line 23", '"a while" is not a duration', "30s"]),
        ('keep = "0s"', ["line 23", "must be longer than nothing"]),
        ('key = "gAAAAA"', ["line 23", "a key is a reference", "env:HEADGATE_AUDIT_KEY"]),
        ('judge = "lama"', ["line 23", '"lama"', 'did you mean "llama"?']),
        ('judge = "nomic"', ["line 23", '"nomic" makes embeddings']),
        ('idle_for = "soon"', ["line 23", '"soon" is not a duration']),
        ("sampel = 0.05", ["line 23", '[audit] has no "sampel"', 'did you mean "sample"?']),
        ('sample = "all"', ["line 23", "sample: expected `float`, got `str`"]),
    ],
)
def test_a_mistake_names_the_line_and_the_word(line, words):
    embeds = '\n[models.nomic]\nengine = "home"\nid = "nomic-embed-text"\nkind = "embedding"\n'
    with pytest.raises(ConfigError) as caught:
        parse_config(SMALL.replace("\n[[routes]]", f"{embeds}\n[audit]\n{line}\n\n[[routes]]", 1), None)
    told = f"{caught.value.message} {caught.value.hint}"
    assert all(word in told for word in words), told
