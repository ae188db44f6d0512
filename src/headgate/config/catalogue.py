"""Read the catalogue of known models, `catalogue.toml` beside this file. What its facts mean is `core.catalogue`'s business."""

import tomllib
from functools import cache
from importlib import resources

import msgspec

from headgate.core.catalogue import Catalogue


@cache
def known_models() -> Catalogue:
    """The catalogue that ships with Headgate."""
    text = resources.files("headgate.config").joinpath("catalogue.toml").read_text(encoding="utf-8")
    page = tomllib.loads(text)
    models = {name: {"name": name} | table for name, table in page["models"].items()}
    return msgspec.convert(page | {"models": models}, Catalogue)
