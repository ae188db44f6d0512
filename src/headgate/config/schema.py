"""The words of headgate.toml, as they stand in the file. `load` checks them against this; `compile` gives them meaning.

Durations are texts such as "60s", "250ms", "2m" or "30d". Everything has a default, except what only the user can know.
"""

from typing import Any, Literal

from msgspec import Struct

from headgate.config.audit import AuditTable
from headgate.config.energy import EnergyTable
from headgate.config.learning import LearnTable
from headgate.config.tuning import TuneTable
from headgate.core.words import (
    Capability,
    EngineKind,
    FormatKind,
    KeyRule,
    LongInput,
    Mode,
    ModelKind,
    Per,
    RouteOrder,
    Task,
    Weekday,
    WhenBusy,
    WhenSpent,
)


class ServerTable(Struct, forbid_unknown_fields=True, frozen=True):
    """[server]: where the gate listens."""

    listen: str = "127.0.0.1:4141"
    keys: KeyRule | None = None
    """Whether callers need a key. By default they do wherever other machines reach the gate."""
    body_limit_mb: int = 32
    """The largest request body that is read."""
    fetch_images: bool = False
    """Fetch images that callers give by address, for engines that want their bytes. Never from a private address."""


class EngineTable(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[engines.NAME]: a server that runs models."""

    kind: EngineKind
    url: str | None = None
    key: str | None = None
    """A reference, "env:NAME" or "file:PATH"; never the key itself."""
    parallel: int | None = None
    """Requests at once; more wait in our queue. By default 1 embedded, 4 for other local engines, 64 for paid ones.
    For Ollama this is OLLAMA_NUM_PARALLEL."""
    local: bool | None = None
    """Whether it runs on machines of the user's own; by default an engine on a private address does."""
    headers: dict[str, str] = {}
    connect: str = "5s"
    first_token: str | None = None
    """The longest wait for a stream's first token. By default measured: 60s at first, then four times what is usual."""
    between_tokens: str | None = None
    """The longest silence after that. By default measured: 30s at first, then ten times what is usual."""
    load_within: str = "5m"
    """The longest wait for a model to be loaded, where the gate loads it."""
    manage: bool = True
    """Load and unload models as requests need them, where the engine runs on this machine. Without it the engine does so."""
    kv_cache: Literal["f16", "q8_0", "q4_0"] = "f16"
    """How the engine keeps its cache of keys and values; OLLAMA_KV_CACHE_TYPE."""
    api_version: str | None = None
    ca_file: str | None = None
    threads: int | None = None
    """Of the embedded engine; by default one for small models."""


class PriceTable(Struct, forbid_unknown_fields=True, frozen=True):
    """price = { input = 2.5, output = 10 }: dollars per million tokens by the user's own contract."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write_5m: float | None = None
    cache_write_1h: float | None = None
    audio: float | None = None
    audio_output: float | None = None
    search: float | None = None
    """Dollars for one search of the web that the provider makes."""


class PrefixesTable(Struct, forbid_unknown_fields=True, frozen=True):
    """prefixes = { query = "search_query: ", document = "search_document: " }: what goes before each text to embed."""

    query: str = ""
    document: str = ""


class ModelTable(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[models.NAME]: a model on an engine."""

    engine: str
    id: str
    """The name the engine knows it by; for the embedded engine a shipped model's name or the path of a GGUF file."""
    kind: ModelKind = "chat"
    context: int | list[int] | None = None
    """Tokens of prompt and answer together; up to three of them are lanes, of which the shortest that fits is used."""
    parallel: int | None = None
    """Requests at once, if fewer than its engine takes."""
    max_output: int | None = None
    capabilities: list[Capability] | None = None
    price: PriceTable | None = None
    price_as: str | None = None
    """Use the price of this model, "anthropic/claude-sonnet-5-5", where the id alone does not say."""
    confidence: float | None = None
    confidence_for: dict[Task, float] = {}
    """The same for some tasks."""
    display: str = ""
    label: str = ""
    settings: dict[str, str | int | float | bool] = {}
    prefixes: PrefixesTable | None = None
    """Of a model for embeddings; by default what its family is known to want."""


class RouteTable(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True, rename={"chain": "try"}):
    """[[routes]]: when → try."""

    name: str
    chain: list[str]
    tasks: list[Task] | None = None
    tokens_over: int | None = None
    tokens_under: int | None = None
    formats: list[FormatKind] | None = None
    languages: list[str] | None = None
    local_only: bool = False
    when_busy: WhenBusy = "next"
    """When the wait for a local model would be longer than `queue_for`: the next of `try`, the first paid one, or wait."""
    queue_for: str | None = None
    mode: Mode | None = None
    pass_at: float | None = None
    checks: list[str] | None = None
    """In place of the checks that [quality] names."""
    order: RouteOrder = "given"
    """As `try` names them, or in the order, and as many of them, as is expected to cost least."""
    confirm: str | None = None
    """Who has to agree before an answer from home goes out: "itself", asked a second time, or another model at home."""


class FleetTable(Struct, forbid_unknown_fields=True, frozen=True):
    """[fleet]: the memory that models may take. By default what the machine has."""

    vram_gb: float | None = None
    """GiB of graphics memory."""
    ram_gb: float | None = None
    """GiB of main memory, for engines without a graphics card."""


class QualityTable(Struct, forbid_unknown_fields=True, frozen=True):
    """[quality]: which checks look at an answer, and what score is good enough."""

    pass_at: float = 0.60
    task_confidence: float = 0.50
    always: tuple[str, ...] = (
        "not-empty",
        "not-cut-off",
        "no-refusal",
        "not-repeating",
        "asked-format",
        "valid-tool-calls",
        "confidence",
    )
    tasks: dict[Task, list[str]] = {}


class LimitsTable(Struct, forbid_unknown_fields=True, frozen=True):
    """[limits]: what a request, and a day, may use up."""

    answer_within: str = "60s"
    queue_for: str = "3s"
    attempts: int = 4
    paid_per_day: float | None = None
    paid_per_request: float | None = None
    conversation_stays: str = "5m"
    """How long after a turn the next one stays with the model that answered, as long as providers keep a prompt cache."""


class BudgetTable(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[[budgets]]: money for a period, for everybody or for a key, a team or a task."""

    name: str
    per: Per
    dollars: float
    key: str = ""
    team: str = ""
    task: Task | None = None
    when_spent: WhenSpent = "local"


class StreamingTable(Struct, forbid_unknown_fields=True, frozen=True):
    """[streaming]: how streams and checks share the road."""

    mode: Mode = "peek"
    peek_characters: int = 240
    keep_alive: str = "5s"


class EmbeddingsTable(Struct, forbid_unknown_fields=True, frozen=True):
    """[embeddings]: vectors that were made before."""

    cache_mb: int = 256
    """Megabytes of vectors that are kept, so that no text is embedded twice; 0 keeps none."""


class LedgerTable(Struct, forbid_unknown_fields=True, frozen=True):
    """[ledger]: where decisions are written down."""

    path: str | None = None
    flush: str = "250ms"
    keep_bodies: bool = False
    """Also keep prompts and answers. Off unless the user turns it on."""
    keep: str = "400d"
    """How long each request's rows are kept, or "forever". Their sums are kept for ever."""
    keep_bodies_for: str | None = None
    """How long prompts and answers are kept, or "forever"; as long as the rows unless the user says otherwise."""


class BatchesTable(Struct, forbid_unknown_fields=True, frozen=True):
    """[batches]: what batch clients may upload."""

    file_limit_mb: int = 200
    """The largest file of requests."""


class ReportTable(Struct, forbid_unknown_fields=True, frozen=True):
    """[report]: what the weekly report compares with."""

    baseline: str = "gpt-4o"
    alternative: str = "auto"
    """The cheap cloud model that home has to beat: "auto", "none", or one model, "groq/llama-3.1-8b-instant"."""
    timezone: str = "local"
    """Where days and weeks begin: "local", "utc", or a zone of the IANA database."""
    week_starts: Weekday = "monday"
    weekly: str = "mon 08:00"
    """When a week's report is sent."""
    send_to: list[str] = []
    """To whom: "file:reports/", "mailto://…", "slack://…", "env:NAME" …"""
    alerts_to: list[str] | None = None
    """Who is told that a budget is reached; by default the same."""
    warn: dict[Literal["local_failures_over", "at_least"], float] = {}


class ShownTable(Struct, forbid_unknown_fields=True, frozen=True):
    """[[agents.NAME.examples]] and [[agents.NAME.tests]]: an input and the output that is right for it."""

    input: str | dict[str, Any]
    output: Any


class ToolTable(Struct, forbid_unknown_fields=True, frozen=True):
    """An MCP server among the tools of an agent: { command = ["uvx", "server"] } or { url = "http://…" }."""

    command: list[str] = []
    url: str = ""


class BoundsTable(Struct, forbid_unknown_fields=True, frozen=True):
    """limits = { steps = 5, within = "2m", spend = 0.05 }: what one run of an agent with tools may use up."""

    steps: int = 5
    within: str = "2m"
    spend: float | None = None


class AgentTable(
    Struct,
    forbid_unknown_fields=True,
    frozen=True,
    kw_only=True,
    rename={"chain": "try", "template": "input"},
):
    """[agents.NAME], or the file agents/NAME.toml: a named worker, asked for as "agent:NAME"."""

    system: str
    description: str = ""
    task: Task | None = None
    template: str = "{input}"
    """What is asked, with {fields} of the input; "{{" and "}}" are braces."""
    labels: list[str] | dict[str, str] = []
    """The answer, or its field `label`, is exactly one of these; as a table, with what each is for."""
    label: str = ""
    """The field of the schema that holds the label."""
    confidence: str = ""
    """The field of the schema into which the gate writes the label's probability."""
    schema: dict[str, Any] | str | None = None
    """A JSON Schema that answers fit: a table, the path of a JSON file, or "module:Class"."""
    examples: list[ShownTable] | str = []
    tests: list[ShownTable] | str = []
    chain: list[str] = []
    """The models that are tried, in place of the route's."""
    checks: list[str] | None = None
    """In place of the route's."""
    threshold: float | None = None
    """The least probability of a label; below it the next model is asked."""
    bar: float | None = None
    """The least share of its tests that must be right before it works through a batch."""
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    local_only: bool = False
    long: LongInput = "chunks"
    tools: list[str | ToolTable] = []
    limits: BoundsTable = BoundsTable()


class FileTable(Struct, forbid_unknown_fields=True, frozen=True):
    """The whole page."""

    engines: dict[str, EngineTable]
    models: dict[str, ModelTable]
    routes: list[RouteTable]
    budgets: list[BudgetTable] = []
    server: ServerTable = ServerTable()
    fleet: FleetTable = FleetTable()
    quality: QualityTable = QualityTable()
    limits: LimitsTable = LimitsTable()
    streaming: StreamingTable = StreamingTable()
    embeddings: EmbeddingsTable = EmbeddingsTable()
    ledger: LedgerTable = LedgerTable()
    batches: BatchesTable = BatchesTable()
    report: ReportTable = ReportTable()
    energy: EnergyTable = EnergyTable()
    audit: AuditTable = AuditTable()
    tune: TuneTable = TuneTable()
    learn: LearnTable = LearnTable()
    agents: dict[str, AgentTable] = {}
