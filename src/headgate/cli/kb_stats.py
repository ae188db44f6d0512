"""`headgate kb stats`: what is in a base, and what could not be read."""

import click

from headgate.cli.common import put, put_json, with_config, with_json


@click.command("stats", short_help="What is in a base, and what could not be read")
@click.argument("name", metavar="NAME")
@with_config
@with_json
def command(config_file: str | None, name: str, *, as_json: bool) -> None:
    """Show what the knowledge base NAME holds: files, chunks, tokens, bytes, its model and index, and all troubles."""
    import msgspec

    from headgate.cli.kb_progress import trouble_line
    from headgate.cli.models_words import size
    from headgate.knowledge import places
    from headgate.knowledge.store import Base
    from headgate.knowledge.vectors import AGAIN, EXACT

    del config_file
    with Base(places.find(name)) as base:
        found = base.stats()
    index = "none" if not found.vectors else "exact" if found.vectors <= EXACT else "scan"
    if as_json:
        put_json({**msgspec.to_builtins(found), "index": index})
        return
    vectors = "none: it is searched by words only"
    if found.model is not None:
        vectors = f"{found.vectors:,} by {found.model}, {found.dimensions} dimensions"
    if found.model is not None and found.missing:
        vectors += f"; {found.missing:,} missing (headgate kb sync {found.name})"
    facts = [
        ("lies at", found.path),
        ("folders", ", ".join(found.folders)),
        ("files", f"{found.files:,}"),
        ("chunks", f"{found.chunks:,} of {found.chunk} tokens at most, about {found.tokens:,} tokens in all"),
        ("on the disk", size(found.bytes)),
        ("vectors", vectors),
    ]
    if index == "exact":
        facts.append(("index", "none is needed: every vector is compared"))
    elif index == "scan":
        facts.append(("index", f"every vector roughly, the likest {AGAIN} in full"))
    if found.local_only:
        facts.append(("privacy", "nothing of it leaves your machines"))
    if found.weight is not None:
        facts.append(("weight", f"{found.weight:.2f} of the vectors in a hybrid search"))
    put("\n".join([found.name, *(f"  {label:<12}{value}" for label, value in facts)]))
    if found.troubles:
        put("\n".join(["  troubles", *(f"    {trouble_line(one)}" for one in found.troubles)]))
