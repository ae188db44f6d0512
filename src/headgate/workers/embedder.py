"""Texts → vectors in this process, for knowledge bases: every list is a request like any other, with its row in the ledger.

It does not know how texts are embedded (`gateway.vectors`), and asks one model by its name: vectors of two do not mix.
"""

from collections.abc import Awaitable, Callable

from headgate.core.errors import EngineError
from headgate.core.policy import Policy, find_embedder
from headgate.core.types import GiveUp, Message, Model, Outcome, Reply, Request
from headgate.gateway.serve import new_id

Ask = Callable[[Request], Awaitable[tuple[Reply | GiveUp, Outcome]]]
"""Takes a request through the gate."""

AT_ONCE = 1024
"""Texts in one request."""


class GateEmbedder:
    """The embedding model of one gate, as a `core.runs.Embedder`.

    Args:
        ask: takes a request through the gate.
        model: who embeds.
        clock: Unix time in seconds.
    """

    def __init__(self, ask: Ask, model: Model, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._model = model
        self._clock = clock

    @property
    def model(self) -> str:
        """The name of the model whose vectors they are."""
        return self._model.name

    async def embed(self, texts: list[str], *, query: bool = False, batch: bool = False) -> list[bytes]:
        """One vector per text, each as little-endian float32.

        Raises:
            EngineError: the model could not embed them.
        """
        vectors: list[bytes] = []
        for start in range(0, len(texts), AT_ONCE):
            request = Request(
                id=new_id(self._clock()),
                asked=self.model,
                messages=tuple([Message("user", text) for text in texts[start : start + AT_ONCE]]),
                kind="embedding",
                use="query" if query else "document",
                batch=batch,
            )
            result, _ = await self._ask(request)
            if isinstance(result, GiveUp):
                raise EngineError(
                    f"the texts could not be embedded: {result.reason}",
                    "headgate doctor says what is missing",
                )
            vectors += result.vectors
        return vectors


def embedding_model(policy: Policy) -> Model | None:
    """Who embeds where nobody says which: the first model of the first route that embeds, else the first in the config."""
    chain = next((route.chain for route in policy.routes if route.kind == "embedding"), ())
    return policy.models[chain[0]] if chain else find_embedder(policy)
