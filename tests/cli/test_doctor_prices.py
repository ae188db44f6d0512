"""What doctor says of prices: each model without one is named, with the lines that give it one."""

from types import SimpleNamespace

from headgate.cli.checkup.gate import check_prices
from headgate.config.load import parse_config
from headgate.config.prices import find_price

PAGE = """
[engines.proxy]
kind = "openai_compatible"
url = "https://proxy.example/v1"
[models.large]
engine = "proxy"
id = "prod-large"
{large}
[models.small]
engine = "proxy"
id = "prod-small"
{small}
[[routes]]
name = "everything else"
try = ["large", "small"]
"""


async def found(large="", small=""):
    config = parse_config(PAGE.format(large=large, small=small), None, find_price)
    return await check_prices(SimpleNamespace(config=config))


async def test_every_model_without_a_price_is_named_with_the_line_that_repairs_it():
    large, small, baseline = await found()
    assert (large.name, small.name, large.state, small.state) == (
        "prices large",
        "prices small",
        "FAIL",
        "FAIL",
    )
    assert "[models.large]" in large.fix
    assert "price = { input" in large.fix
    assert "price_as" in large.fix
    assert baseline.state == "ok"


async def test_a_contract_or_another_name_in_the_list_repairs_it():
    prices, _ = await found('price_as = "anthropic/claude-sonnet-5-5"', "price = { input = 1, output = 2 }")
    assert (prices.name, prices.state, prices.found) == ("prices", "ok", "known for every model")
