"""The tables of the ledger.

Two tables hold what happened, `requests` and `attempts`; everything that repeats is a number that points into a
dimension table (`names`, `models`, `prices`), which is what keeps a request with its attempts under 400 bytes. Times
are integer microseconds, money is integer nano-dollars (rates: nano-dollars per million tokens; `units`), and NULL is unknown.
Nothing here is particular to SQLite; the tables may live on PostgreSQL as well.

This module does not know how a file is opened (`opening`), how an outcome becomes rows (`encode`) or what a query means
(`queries`).
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

from headgate.ledger.cells import Calls, CallVariant, Cell, Ends, Variant

VERSION: Final = 13
"""Of the tables. A file with a higher one was written by a newer Headgate and is left alone; one with a lower one is given
the tables and columns that it lacks."""

NOTHING: Final = -(2**53)
"""Bound where NULL is meant, in the columns that are seldom filled; no figure that they hold."""

metadata = MetaData()
_SELDOM: Final = {"seldom filled": True}
_Key = BigInteger().with_variant(Integer, "sqlite")

names = Table(
    "names",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("text", Text, nullable=False, unique=True),
)

prices = Table(
    "prices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("input", BigInteger, nullable=False),
    Column("output", BigInteger, nullable=False),
    Column("cache_read", BigInteger),
    Column("cache_write_5m", BigInteger),
    Column("cache_write_1h", BigInteger),
    # of a price written before 5: its one band, whose cached tokens cost more as its others do
    Column("above", Integer),
    Column("input_above", BigInteger),
    Column("output_above", BigInteger),
    Column("date", Text, nullable=False),
    Column("source", Text, nullable=False),
    # since 5: all other rates, bands and services, as JSON (`prices.Terms`)
    Column("terms", Text),
)

# A row is one description of a model. When its label or price changes, a new row is added, so that an old request keeps
# the description under which it was answered.
models = Table(
    "models",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("engine", Text),
    Column("engine_kind", Text),
    Column("engine_id", Text),
    Column("kind", Text),
    Column("local", Boolean),
    Column("display", Text),
    Column("label", Text),
    Column("price", ForeignKey("prices.id")),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Column("clean", Boolean),
    Column("written", Integer, nullable=False),
    Column("lost", Integer, nullable=False),
    Column("jumps", Integer),  # how often the clock was set back meanwhile; NULL is never
)

requests = Table(
    "requests",
    metadata,
    Column("n", _Key, primary_key=True),
    Column("id", Text, nullable=False),
    Column("received", BigInteger, nullable=False),
    # what every report sums, and so first: SQLite reads a row up to the last column that is asked for
    # since 11: how it is counted; it follows from its columns and attempts, and is kept here so that they need not be read
    Column("variant", ForeignKey("variants.id")),
    # since 12: the bins of `seconds` and `first_token` (`sketches.bins_of`), and the tokens of its call, where it is counted with it
    Column("bins", Text),
    Column("call_input", Integer),
    Column("call_output", Integer),
    Column("seconds", BigInteger, nullable=False),
    Column("first_token", BigInteger),
    Column("cost", BigInteger),
    Column("baseline_cost", BigInteger),
    Column("energy", BigInteger, info=_SELDOM),
    Column("energy_cost", BigInteger, info=_SELDOM),
    Column("alternative_cost", BigInteger, info=_SELDOM),
    # signals
    Column("task", ForeignKey("names.id")),
    Column("task_confidence", SmallInteger, nullable=False),
    Column("task_by", ForeignKey("names.id"), nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("tokens_exact", Boolean, nullable=False),
    Column("format", ForeignKey("names.id"), nullable=False),
    Column("tools", Integer, nullable=False),
    Column("images", Integer, nullable=False),
    Column("language", ForeignKey("names.id")),
    Column("code_blocks", Integer, nullable=False),
    Column("local_only", Boolean, nullable=False),
    # what was decided and what came of it
    Column("stream", Boolean, nullable=False),
    Column("route", ForeignKey("names.id"), nullable=False),
    Column("status", ForeignKey("names.id"), nullable=False),
    Column("model", ForeignKey("models.id")),
    Column("fallback", ForeignKey("names.id"), info=_SELDOM),
    Column("fallback_limit", Integer, info=_SELDOM),
    Column("answered", SmallInteger),
    Column("baseline", ForeignKey("models.id"), nullable=False),
    Column("baseline_input", Integer, info=_SELDOM),
    Column("baseline_output", Integer, info=_SELDOM),
    Column("alternative", ForeignKey("models.id"), info=_SELDOM),
    Column("key", ForeignKey("names.id"), info=_SELDOM),
    Column("team", ForeignKey("names.id"), info=_SELDOM),
    Column("agent", ForeignKey("names.id"), info=_SELDOM),
    Column("imported", Boolean, info=_SELDOM),  # true: read from a file, and seen by no gate
    Column("prices_as_of", ForeignKey("names.id")),
    # counted by the report; they follow from the attempts and are kept here to spare it the join
    Column("tried_locally", Boolean, nullable=False),
    Column("failed_locally", Boolean, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("story", Text, nullable=False),
)
Index("requests_by_id", requests.c.id)
Index("requests_by_time", requests.c.received)

attempts = Table(
    "attempts",
    metadata,
    Column("request", ForeignKey("requests.n"), primary_key=True, autoincrement=False),
    Column("position", SmallInteger, primary_key=True, autoincrement=False),
    # since 11, as that of a request; since 12, NULL: counted with its request
    Column("variant", ForeignKey("call_variants.id"), info=_SELDOM),
    Column("model", ForeignKey("models.id"), nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("ended", BigInteger, nullable=False),
    Column("queued", BigInteger, nullable=False),
    Column("first_token", BigInteger),
    Column("input", Integer),
    Column("cache_read", Integer),
    Column("cache_write_5m", Integer),
    Column("cache_write_1h", Integer),
    Column("output", Integer),
    Column("reasoning", Integer),
    Column("exact", Boolean),
    # which parts are estimated, as bits of core.parts; NULL beside exact = 0: written before 5, all of them
    Column("estimated", SmallInteger, info=_SELDOM),
    Column("service", ForeignKey("names.id"), info=_SELDOM),
    # JSON: tokens of images, of audio, of audio written, searches of the web, nano-dollars that the provider says it took
    Column("more", Text, info=_SELDOM),
    Column("cost", BigInteger),
    Column("energy", BigInteger, info=_SELDOM),
    Column("failure", ForeignKey("names.id"), info=_SELDOM),
    Column("rejected", Boolean, nullable=False),
    Column("score", SmallInteger),
    Column("logprob", Integer, info=_SELDOM),
    Column("finish", ForeignKey("names.id")),
    Column("late", Boolean, nullable=False),
    Column("story", Text),
    sqlite_with_rowid=False,
)

bodies = Table(
    "bodies",
    metadata,
    Column("request", ForeignKey("requests.n"), primary_key=True, autoincrement=False),
    Column("prompt", Text),
    Column("answer", Text),
    Column("rest", Text),
)


# What one request added to a conversation that is kept: `previous` is the id of the request that it goes on from.
turns = Table(
    "turns",
    metadata,
    Column("request", ForeignKey("requests.n"), primary_key=True, autoincrement=False),
    Column("previous", Text),
    Column("messages", Text, nullable=False),
)

# One row for each time that a model was measured; `card` is the whole of it as JSON, the other columns find it.
cards = Table(
    "cards",
    metadata,
    Column("n", _Key, primary_key=True),
    Column("engine", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("measured", BigInteger, nullable=False),
    Column("card", Text, nullable=False),
)
Index("cards_by_model", cards.c.engine, cards.c.id, cards.c.measured)

# One row for each time that a subagent's tests were run with a model, in the same manner.
trials = Table(
    "trials",
    metadata,
    Column("n", _Key, primary_key=True),
    Column("agent", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("measured", BigInteger, nullable=False),
    Column("trial", Text, nullable=False),
)
Index("trials_by_agent", trials.c.agent, trials.c.model, trials.c.measured)

# One row each time that another version of a model was seen under its name: other files, by their digest.
model_versions = Table(
    "model_versions",
    metadata,
    Column("n", _Key, primary_key=True),
    Column("engine", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("seen", BigInteger, nullable=False),
)
Index("model_versions_by_model", model_versions.c.engine, model_versions.c.id, model_versions.c.n)

# What a model said of pairs of answers whose truth is known, in the same manner: one row for each that was tried as a judge.
tried_judges = Table(
    "tried_judges",
    metadata,
    Column("n", _Key, primary_key=True),
    Column("engine", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("tried", BigInteger, nullable=False),
    Column("judge", Text, nullable=False),
)
Index("tried_judges_by_model", tried_judges.c.engine, tried_judges.c.id, tried_judges.c.digest, unique=True)

# What an audit found of one request: `verdict` is one of `core.words.AuditVerdict`, `judge` who said so, `cost` what asking
# the judge cost, `request` the number of the request that was judged.
audits = Table(
    "audits",
    metadata,
    Column("request", ForeignKey("requests.n"), primary_key=True, autoincrement=False),
    Column("verdict", ForeignKey("names.id"), nullable=False),
    Column("judge", ForeignKey("names.id"), nullable=False),
    Column("audited", BigInteger, nullable=False),
    Column("cost", BigInteger),
    Column("story", Text),
    # since 9: the chance with which the request was chosen, in millionths, NULL where nobody chose by chance; the model at home that
    # was asked anew, and the lowest score of its answer
    Column("probability", Integer),
    Column("model", ForeignKey("models.id")),
    Column("score", SmallInteger),
    # since 13: other models at home whose answers were there and would not have gone out, as JSON [[model, lowest score], …]
    Column("rejected", Text),
)

# Requests whose audit waits to be made: `material` is what it needs (`core.audits.Material`), sealed where the user says so, and
# removed at `expires`.
audit_jobs = Table(
    "audit_jobs",
    metadata,
    Column("n", _Key, primary_key=True),
    Column("request", BigInteger, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("probability", Integer, nullable=False),
    Column("state", Text, nullable=False),  # waiting, judged, failed
    Column("due", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("tries", SmallInteger, nullable=False),
    Column("error", Text),
    Column("material", LargeBinary),
)
Index("audit_jobs_by_due", audit_jobs.c.state, audit_jobs.c.due)
Index("audit_jobs_by_expiry", audit_jobs.c.expires, sqlite_where=audit_jobs.c.material.isnot(None))

# What each judge said of a request; `audits` holds what is in force. A person's and a caller's word are labels, and the others are
# measured against them. `score` is how sure the judge is, or NULL.
opinions = Table(
    "opinions",
    metadata,
    Column("request", BigInteger, primary_key=True, autoincrement=False),
    Column("judge", ForeignKey("names.id"), primary_key=True, autoincrement=False),
    Column("verdict", ForeignKey("names.id"), nullable=False),
    Column("given", BigInteger, nullable=False),
    Column("score", SmallInteger),
    Column("cost", BigInteger),
    Column("story", Text),
)

# What audits pay, call by call: written before the call with the most that it can cost, and again once its cost is known. So what a
# gate paid that was killed counts too.
audit_payments = Table(
    "audit_payments",
    metadata,
    Column("n", _Key, primary_key=True),
    Column("request", BigInteger, nullable=False),
    Column("paid", BigInteger, nullable=False),  # when
    Column("cost", BigInteger, nullable=False),
)
Index("audit_payments_by_request", audit_payments.c.request)
Index("audit_payments_by_time", audit_payments.c.paid)

# Changes of the config that `headgate tune` has applied: what was written, what was expected of it, and what became of it.
changes = Table(
    "changes",
    metadata,
    Column("n", _Key, primary_key=True),
    Column("applied", BigInteger, nullable=False),
    Column("state", Text, nullable=False),  # watched, kept, rolled back
    Column("decided", BigInteger),
    Column("proposal", Text, nullable=False),
)

# Routers that `headgate learn` has made; at most one is in use.
routers = Table(
    "routers",
    metadata,
    Column("n", _Key, primary_key=True),
    Column("made", BigInteger, nullable=False),
    Column("used", BigInteger),  # since when; NULL is not in use
    Column("report", Text, nullable=False),
    Column("router", LargeBinary, nullable=False),
)

# What the machines at home drew in one hour while the gate was open: in all, and of that for requests; microjoules.
power = Table(
    "power",
    metadata,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("seconds", Integer, nullable=False),
    Column("energy", BigInteger, nullable=False),
    Column("requests_energy", BigInteger, nullable=False),
)

# Keys of callers. The key itself is kept nowhere: `digest` is its SHA-256, `hint` its first letters.
keys = Table(
    "keys",
    metadata,
    Column("n", _Key, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("team", Text),
    Column("admin", Boolean, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("hint", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("revoked", BigInteger),
)

# A budget reached 50, 80 or 100 % of its money in the period that began at `period`.
alerts = Table(
    "alerts",
    metadata,
    Column("budget", Text, primary_key=True),
    Column("period", BigInteger, primary_key=True, autoincrement=False),
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("reached", BigInteger, nullable=False),
)

# What is sent to whom: a week's report, which is made when it is sent, or an alert with its text. `due` is when it is tried (next),
# `sent` when it had been taken.
posts = Table(
    "posts",
    metadata,
    Column("n", _Key, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("sent", BigInteger),
    Column("text", Text),
    Column("tries", Integer, nullable=False),
    Column("error", Text),
)
Index("posts_by_subject", posts.c.subject, posts.c.target, unique=True)

# Rollups: sums over the rows of some time, kept when the rows are gone (`rollups`). `span` is the length of that time and
# `start` its first moment, both in seconds. A facet is one combination of what requests are grouped by; in it, 0 is "none",
# and so is a limit of -1.
facets = Table(
    "facets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model", Integer, nullable=False),
    Column("task", Integer, nullable=False),
    Column("route", Integer, nullable=False),
    Column("key", Integer, nullable=False),
    Column("team", Integer, nullable=False),
    Column("status", Integer, nullable=False),
    Column("fallback", Integer, nullable=False),
    Column("fallback_limit", Integer, nullable=False),
    Column("baseline", Integer, nullable=False),
    Column("alternative", Integer, nullable=False),
    Column("prices_as_of", Integer, nullable=False),
    Column("size", Integer, nullable=False),
)
Index("facets_by_all", *(column for column in facets.c if column.name != "id"), unique=True)

# How rows are counted (`cells`). A request and a call point to theirs.
variants = Table(
    "variants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("facet", ForeignKey("facets.id"), nullable=False),
    # since 12: `call` and `energy_unknown`
    *(Column(name, Integer, nullable=False, server_default="0") for name in Variant._fields[1:]),
)
Index("variants_by_all", *(column for column in variants.c if column.name != "id"), unique=True)

call_variants = Table(
    "call_variants",
    metadata,
    Column("id", Integer, primary_key=True),
    *(Column(name, Integer, nullable=False) for name in CallVariant._fields),
)
Index("call_variants_by_all", *(column for column in call_variants.c if column.name != "id"), unique=True)

rollups = Table(
    "rollups",
    metadata,
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("facet", ForeignKey("facets.id"), primary_key=True, autoincrement=False),
    *(Column(name, BigInteger, nullable=False) for name in Cell._fields),
    sqlite_with_rowid=False,
)

call_rollups = Table(
    "call_rollups",
    metadata,
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, Integer, primary_key=True, autoincrement=False) for name in Ends._fields),
    *(Column(name, BigInteger, nullable=False) for name in Calls._fields),
    sqlite_with_rowid=False,
)

# How long the answers of a model took, as sketches (`sketches`).
latency_rollups = Table(
    "latency_rollups",
    metadata,
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("model", ForeignKey("models.id"), primary_key=True, autoincrement=False),
    Column("seconds", LargeBinary, nullable=False),
    Column("first_token", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# Audits of requests whose rows are gone; those of the others are counted from `audits`.
audit_rollups = Table(
    "audit_rollups",
    metadata,
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("verdict", ForeignKey("names.id"), primary_key=True, autoincrement=False),
    Column("judge", ForeignKey("names.id"), primary_key=True, autoincrement=False),
    Column("requests", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

# What audits found of such requests, those that are alike together: `kind` is a `core.words.AuditKind`, `probability` the chance with
# which they were chosen, in millionths, -1 where nobody chose by chance; "" is no task and no cause. `cost` is what the requests cost
# (of local answers: what the baseline would have), as far as it is known.
finding_rollups = Table(
    "finding_rollups",
    metadata,
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    Column("verdict", Text, primary_key=True),
    Column("judge", Text, primary_key=True),
    Column("probability", Integer, primary_key=True, autoincrement=False),
    Column("route", Text, primary_key=True),
    Column("task", Text, primary_key=True),
    Column("cause", Text, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("cost_unknown", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# One row: the number of the last request that is in the rollups, and the Unix time, in microseconds, before which rows have
# been removed.
rolled = Table(
    "rolled",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("n", BigInteger, nullable=False),
    Column("pruned", BigInteger, nullable=False),
)


def insert_sql(table: Table, rows: int = 1) -> str:
    """The table's INSERT of so many rows, with question marks for the driver.

    Where a column is seldom filled, `NOTHING` may stand for NULL: Python's driver binds it ten times as fast as a None.
    """
    columns = ", ".join(column.name for column in table.columns)
    marks = ", ".join(f"nullif(?, {NOTHING})" if column.info == _SELDOM else "?" for column in table.columns)
    values = ", ".join([f"({marks})"] * rows)
    return f"INSERT INTO {table.name} ({columns}) VALUES {values}"  # noqa: S608 - our own names
