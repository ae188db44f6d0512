"""Every block of TOML in the docs is a page that the gate would take, or a part of one."""

import tomllib
from pathlib import Path

import pytest
from docs_pages import DOCS, Block, all_blocks, blocks

from headgate.config.load import parse_config, starter_text

REST = {
    "engines": '[engines.docs]\nkind = "ollama"\n',
    "models": '[models.docs]\nengine = "docs"\nid = "docs"\n',
    "routes": '[[routes]]\nname = "everything else"\ntry = ["docs"]\n',
}


def completed(block: Block) -> str:
    """The block with what a whole page needs: engines for its models, models for its routes, a route for the rest."""
    page = tomllib.loads(block.text)
    named = {model["engine"] for model in page.get("models", {}).values()} - page.get("engines", {}).keys()
    tried = {name for route in page.get("routes", []) for name in route["try"]} - page.get(
        "models", {}
    ).keys()
    parts = [block.text]
    parts += [
        f'[engines.{name}]\nkind = "ollama"\n' for name in sorted(named | ({"docs"} if tried else set()))
    ]
    parts += [f'[models.{name}]\nengine = "docs"\nid = "{name}"\n' for name in sorted(tried)]
    whole = tomllib.loads("\n".join(parts))
    if "routes" not in page:
        parts += [
            REST[name]
            for name in ("engines", "models", "routes")
            if name != "engines" or "docs" not in whole.get("engines", {})
        ]
    return "\n".join(parts)


@pytest.mark.parametrize("block", all_blocks("toml"), ids=str)
def test_a_block_of_toml_is_a_page_that_the_gate_takes(block, tmp_path):
    for example in blocks(block.page, "python"):
        first = example.text.partition("\n")[0]
        if first.startswith("# ") and first.endswith(".py"):
            (tmp_path / first.removeprefix("# ")).write_text(example.text, encoding="utf-8")
    config = parse_config(completed(block), tmp_path / "headgate.toml", lambda *_: None)
    assert config.policy.routes


def test_the_smallest_page_of_the_docs_needs_nothing_added():
    smallest = blocks(DOCS / "config.md", "toml")[0].text
    assert parse_config(smallest, Path("headgate.toml"), lambda *_: None).policy.routes[0].chain == ("llama",)


def test_a_mistake_in_a_block_would_be_found(tmp_path):
    wrong = Block(DOCS / "config.md", 1, "toml", starter_text().replace("tokens_over", "tokens_ower"))
    with pytest.raises(Exception, match="tokens_ower"):
        parse_config(completed(wrong), tmp_path / "headgate.toml", lambda *_: None)
