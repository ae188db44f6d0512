"""Settings that tuning may change, as values: a threshold or a chain of a route, or how sure the classifier or a model has to be.

    with_settings(policy, (Setting("routes.long", "tokens_over", 5000),)) → Policy
    Setting(…).word → "routes.long.tokens_over=5000"      as `headgate replay --set` and the page's editor (`config.changes`) take it

It does not know which settings are worth trying (`candidates`) or how a page is written.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from headgate.core.policy import Policy, Route, token_limits
from headgate.core.types import Model
from headgate.core.words import Task

Key = Literal["tokens_over", "tokens_under", "pass_at", "try", "task_confidence"] | Task

ROUTES = "routes."
QUALITY = "quality"
MODELS, CONFIDENCE_FOR = "models.", ".confidence_for"
"""Before and behind the name of a model: the confidence that is wanted of it, task by task."""

KEYS: tuple[Key, ...] = ("tokens_over", "tokens_under", "pass_at", "try")
"""Of a route, in the order in which they are written."""

Value = int | float | tuple[str, ...] | None


class Setting(Struct, frozen=True):
    """One line of the page."""

    table: str
    """ "routes.NAME", "quality" or "models.NAME.confidence_for"."""
    key: Key
    value: Value
    """None: there is no such line."""

    @property
    def place(self) -> str:
        """Which line it is: "routes.long.tokens_over"."""
        return f"{self.table}.{self.key}"

    @property
    def shown(self) -> str:
        """Its value as a word: "5000", "0.7", "small,claude", "none"."""
        if self.value is None:
            return "none"
        return ",".join(self.value) if isinstance(self.value, tuple) else f"{self.value:g}"

    @property
    def word(self) -> str:
        """The line as one word."""
        return f"{self.place}={whole(self.value) if isinstance(self.value, int) else self.shown}"


def whole(value: int) -> str:
    """A whole number with all its digits."""
    return f"{value:d}"


def with_settings(policy: Policy, settings: Iterable[Setting]) -> Policy:
    """The policy with other settings. A setting of a route that it does not have changes nothing."""
    for setting in settings:
        policy = with_setting(policy, setting)
    return policy


def with_setting(policy: Policy, setting: Setting) -> Policy:
    """The policy with one other setting."""
    if setting.table == QUALITY:
        return replace(policy, task_confidence=setting.value)
    if setting.table.startswith(MODELS):
        models = {name: with_confidence(model, setting) for name, model in policy.models.items()}
        return replace(policy, models=models)
    name = setting.table.removeprefix(ROUTES)
    routes = tuple(
        [changed_route(route, policy, setting) if route.name == name else route for route in policy.routes]
    )
    return replace(policy, routes=routes, token_limits=token_limits(routes, policy.models.values()))


def with_confidence(model: Model, setting: Setting) -> Model:
    """The model with another confidence for a task; unchanged if it is neither the one that is meant nor a longer lane of it."""
    if named(model.name) != model_of(setting.table):
        return model
    others = {task: least for task, least in model.confidence_for.items() if task != setting.key}
    wanted = {} if setting.value is None else {setting.key: setting.value}
    return replace(model, confidence_for={**others, **wanted})


def model_of(table: str) -> str:
    """The model whose confidence a table tells."""
    return table.removeprefix(MODELS).removesuffix(CONFIDENCE_FOR)


def changed_route(route: Route, policy: Policy, setting: Setting) -> Route:
    """The route with one other setting; a chain takes the longer lanes of its models along."""
    if setting.key != "try":
        return replace(route, **{setting.key: setting.value})
    named = setting.value if isinstance(setting.value, tuple) else ()
    lanes = [lane for name in named for lane in (name, *policy.models[name].longer)]
    return replace(route, chain=tuple(lanes))


def named(model: str) -> str:
    """The name that the page has for a model, of which this may be a longer lane."""
    return model.partition("@")[0]


def setting_of(policy: Policy, table: str, key: Key) -> Setting:
    """The setting that is in force.

    Raises:
        LookupError: the policy has no such route, or no such model.
    """
    if table == QUALITY:
        return Setting(table, key, policy.task_confidence)
    if table.startswith(MODELS):
        wanted: dict[str, float] = dict(policy.models[model_of(table)].confidence_for.items())
        return Setting(table, key, wanted.get(key))
    route = next((one for one in policy.routes if one.name == table.removeprefix(ROUTES)), None)
    if route is None:
        raise LookupError(table)
    value: Value = named_chain(route, policy) if key == "try" else getattr(route, key)
    return Setting(table, key, value)


def named_chain(route: Route, policy: Policy) -> tuple[str, ...]:
    """The models that a route names, without their longer lanes."""
    return tuple([name for name in route.chain if name in policy.models and not policy.models[name].lane_of])


def differences(today: Policy, policy: Policy) -> tuple[Setting, ...]:
    """The settings of a policy that are not today's, in the order of the page."""
    found: list[Setting] = []
    for route in policy.routes:
        table = f"{ROUTES}{route.name}"
        found += [
            now for key in KEYS if (now := setting_of(policy, table, key)) != setting_of(today, table, key)
        ]
    if policy.task_confidence != today.task_confidence:
        found.append(setting_of(policy, QUALITY, "task_confidence"))
    for name, model in policy.models.items():
        before = today.models[name].confidence_for
        if model.confidence_for != before and not model.lane_of:
            table = f"{MODELS}{name}{CONFIDENCE_FOR}"
            tasks = sorted({*before, *model.confidence_for})
            found += [
                Setting(table, task, model.confidence_for.get(task))
                for task in tasks
                if before.get(task) != model.confidence_for.get(task)
            ]
    return tuple(found)
