"""What goes before texts to embed: by the model's family, as their caller says what they are for, and told in a header."""

import pytest
from test_embeddings import (
    LMSTUDIO,
    NOMIC,
    SMALL,
    beside_openai,
    embed,
    ollama_client,
    openai_client,
    with_models,
)

from headgate.config.load import parse_config
from headgate.core.errors import ConfigError
from headgate.core.prefixes import known_prefixes
from headgate.testing import LMStudioDouble, OpenAIDouble

PAGE = """
[engines.ollama]
kind = "ollama"

[models.vectors]
engine = "ollama"
id = "nomic-embed-text"
{more}

[models.llama]
engine = "ollama"
id = "llama3.1:8b"

[[routes]]
name = "everything else"
try = ["llama"]
"""


def sent(bench) -> list[str]:
    """The texts of the last call that reached Ollama."""
    return [call for call in bench.ollama.calls if call.path == "/api/embed"][-1].fields["input"]


@pytest.mark.parametrize(
    ("word", "prefix"),
    [
        ("query", "search_query: "),
        ("search_query", "search_query: "),
        ("document", "search_document: "),
        ("passage", "search_document: "),
        ("search_document", "search_document: "),
        ("clustering", ""),
    ],
)
async def test_a_caller_says_in_the_body_what_his_texts_are_for(open_bench, word, prefix):
    async with open_bench(change=with_models(NOMIC)) as bench:
        said = await embed(bench, model="nomic", input=["a b", "c"], input_type=word)
        assert sent(bench) == [f"{prefix}a b", f"{prefix}c"]
    told = said.headers.get("x-headgate-adjusted", "")
    assert (f'input: texts begin with "{prefix.strip()}", as nomic expects of a' in told) == bool(prefix)


async def test_without_a_word_texts_are_embedded_as_they_come(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        said = await embed(bench, model="nomic", input="a")
        assert sent(bench) == ["a"]
    assert "x-headgate-adjusted" not in said.headers


async def test_a_client_that_sends_no_other_fields_says_it_in_the_models_name(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        client = openai_client(bench)
        for name in ("nomic:query", "auto:embedding:query", "auto:query", "nomic-embed-text:latest:query"):
            await client.embeddings.create(model=name, input=f"by {name}")
            assert sent(bench) == [f"search_query: by {name}"]
        await ollama_client(bench).embed(model="nomic:document", input="a page")
        assert sent(bench) == ["search_document: a page"]
        unknown = await embed(bench, model="nomik:query", input="a")
        assert (unknown.status, unknown.json["error"]["code"]) == (404, "model_not_found")


async def test_a_header_says_it_for_every_door(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        header = {"x_headgate_input": "document"}
        await embed(bench, model="auto", input="one", headers=header)
        assert sent(bench) == ["search_document: one"]
        await embed(bench, "/api/embed", model="auto", input="two", headers=header)
        assert sent(bench) == ["search_document: two"]
        await embed(bench, "/api/embeddings", model="auto", prompt="three", headers=header)
        assert sent(bench) == ["search_document: three"]


async def test_a_text_that_has_such_words_already_gets_no_second_ones(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        given = ["search_query: a", "search_document: b", "c"]
        await embed(bench, model="nomic", input=given, input_type="query")
        assert sent(bench) == ["search_query: a", "search_document: b", "search_query: c"]


async def test_token_ids_are_spelled_before_words_go_before_them(open_bench):
    async with open_bench(change=with_models(NOMIC)) as bench:
        await embed(bench, model="nomic", input=[15339, 1917], input_type="query")
        assert sent(bench) == ["search_query: hello world"]


async def test_a_model_without_such_words_gets_none_and_the_callers_word(open_bench):
    async with beside_openai(open_bench) as (bench, openai):
        said = await embed(bench, model="small", input="a", input_type="query")
        assert openai.calls[-1].fields["input"] == ["a"]
        assert "input_type" not in openai.calls[-1].fields
    assert said.headers["x-headgate-adjusted"] == "input_type: dropped, openai does not take it"


async def test_the_users_own_words_win(open_bench):
    own = NOMIC + 'prefixes = { query = "frage: " }\n'
    async with open_bench(change=with_models(own)) as bench:
        await embed(bench, model="nomic:query", input="wie lange")
        assert sent(bench) == ["frage: wie lange"]
        await embed(bench, model="nomic:document", input="fünf Tage")
        assert sent(bench) == ["fünf Tage"]


BAD = {
    "a word that is none, in the body": ({"input": "a", "input_type": "querry"}, {}, "input_type"),
    "a word that is none, in the header": ({"input": "a"}, {"x_headgate_input": "passages"}, '"passages"'),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_word_that_nobody_knows_is_named_with_those_there_are(open_bench, case):
    body, headers, words = BAD[case]
    async with open_bench(change=with_models(NOMIC)) as bench:
        said = await embed(bench, model="nomic", headers=headers, **body)
    assert said.status == 400
    assert words in said.json["error"]["message"]
    assert "query" in said.json["error"]["message"] + said.json["error"]["hint"]


async def test_a_chat_has_no_texts_to_embed(open_bench):
    async with open_bench() as bench:
        said = await bench.ask(headers={"x_headgate_input": "query"})
    assert (said.status, said.json["error"]["param"]) == (400, "x-headgate-input")


def test_prefixes_of_a_model_that_answers_are_a_mistake_with_its_line(tmp_path):
    page = PAGE.format(more='prefixes = { query = "q: " }')
    with pytest.raises(ConfigError, match=r"line 8: .*prefixes, which are for texts to embed"):
        parse_config(page, tmp_path / "headgate.toml")


def test_a_wrong_word_for_prefixes_is_named(tmp_path):
    page = PAGE.format(more='kind = "embedding"\nprefixes = { querry = "q: " }')
    with pytest.raises(ConfigError, match="querry") as caught:
        parse_config(page, tmp_path / "headgate.toml")
    assert 'did you mean "query"?' in caught.value.hint


@pytest.mark.parametrize(
    ("model_id", "query", "document"),
    [
        ("nomic-embed-text:v1.5", "search_query: ", "search_document: "),
        ("text-embedding-nomic-embed-text-v1.5@q8_0", "search_query: ", "search_document: "),
        ("mxbai-embed-large", "Represent this sentence for searching relevant passages: ", ""),
        ("BAAI/bge-large-en-v1.5", "Represent this sentence for searching relevant passages: ", ""),
        ("bge-m3", "", ""),
        ("intfloat/multilingual-e5-large", "query: ", "passage: "),
        ("snowflake-arctic-embed2", "query: ", ""),
        ("snowflake-arctic-embed:335m", "Represent this sentence for searching relevant passages: ", ""),
        ("embeddinggemma:300m", "task: search result | query: ", "title: none | text: "),
        ("all-minilm", "", ""),
        ("text-embedding-3-small", "", ""),
        ("headgate-embed", "", ""),
    ],
)
def test_a_family_is_known_by_its_id(model_id, query, document):
    known = known_prefixes(model_id)
    assert (known.query, known.document) == (query, document)


async def test_ids_with_words_before_them_reach_openai_as_text(open_bench):
    def own(page):
        return page.replace("context = 8191\n", 'context = 8191\nprefixes = { query = "q: " }\n')

    async with OpenAIDouble() as openai:
        small = SMALL.format(openai=openai.url, local="false")
        async with open_bench(change=lambda page: own(with_models(small)(page))) as bench:
            await embed(bench, model="small:query", input=[[15339, 1917], [1917]])
            assert openai.calls[-1].fields["input"] == ["q: hello world", "q:  world"]


async def test_the_callers_word_is_not_handed_on_where_the_prefix_says_it(open_bench):
    async with LMStudioDouble() as studio:
        async with open_bench(change=with_models(LMSTUDIO.format(studio=studio.url))) as bench:
            await embed(bench, model="studio", input="a", input_type="query")
        (call,) = [call for call in studio.calls if call.path == "/v1/embeddings"]
    assert call.fields["input"] == ["search_query: a"]
    assert "input_type" not in call.fields
