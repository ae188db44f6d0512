"""The gate's own router on a benchmark: what it looks at (`core.features`), how it learns (`lab.learner`), how it is served (`core.router`).

    seen = look(prompts); held, test = foretell(fit, test, seen)

For each model it says how likely its answer is as good as the strong model's; the strong one's is for certain. A request is the prompt
alone, as one message of a user, under a page without routes. How freely it may learn is chosen as always (`lab.learner.fit`), on the
weak model, and kept for the others. It does not say when the gate's router would say nothing.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from headgate.core.features import Features, features
from headgate.core.policy import Policy
from headgate.core.router import Scorer
from headgate.core.signals import human_ask, measure
from headgate.core.types import Message, Request
from headgate.lab.benchmarks.prepared import Ready
from headgate.lab.learner import Setting, fit

Floats = npt.NDArray[np.float64]

NO_ROUTES = Policy(routes=(), models={})


def look(prompts: Iterable[str]) -> dict[str, Features]:
    """What the gate looks at, of each different prompt."""
    seen = {}
    for prompt in set(prompts):
        request = Request(id="", asked="auto", messages=(Message("user", prompt),))
        seen[prompt] = features(human_ask(request), measure(request, NO_ROUTES))
    return seen


def foretell(
    fitted: Ready, test: Ready, seen: Mapping[str, Features], settings: Sequence[Setting] = ()
) -> tuple[Floats, Floats]:
    """The chance that each model's answer is as good as the strong one's: of fit prompts, each left out, and of test prompts.

    Args:
        fitted: with the outcomes.
        test: other prompts.
        seen: what the gate looks at, of all of them.
        settings: how freely it may learn; () is all that the gate tries.

    Returns:
        Two of (prompts, models).
    """
    held, asked = np.ones(fitted.set.scores.shape), np.ones((len(test.bodies), len(fitted.set.models)))
    rows = [seen[prompt] for prompt in fitted.set.prompts]
    others = [model for model in range(len(fitted.set.models)) if model not in (fitted.strong, fitted.weak)]
    for model in (fitted.weak, *others):
        good = (fitted.set.scores[:, model] >= fitted.set.scores[:, fitted.strong]).astype(np.float64)
        if good.all() or not good.any():  # nothing to tell apart
            held[:, model] = asked[:, model] = good[0]
            continue
        learned = fit(rows, good, groups=fitted.groups, settings=settings)
        settings = (learned.setting,)
        scorer = Scorer(learned.weights)
        held[:, model] = learned.left_out
        asked[:, model] = [scorer.judge(seen[prompt])[0] for prompt in test.set.prompts]
    return held, asked
