"""From a call to a request that can be routed: read its words, then do to it what they ask, or say what is wrong.

The steps, in order: the door reads the body, and is given the earlier answers that it names; headers have their say; the
name it asks for must lead somewhere; a subagent's prompt is put on it; images are fetched; what was said before is recalled;
token ids become texts. Most requests need no answers and end with the name. It does not know what a request will cost, nor
who will answer it.
"""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from headgate.core.agents import ask, give
from headgate.core.policy import AGENT, Policy
from headgate.core.templates import Unfit
from headgate.core.types import Message, Request
from headgate.engines.tokenizer import LARGE, Tokenizer
from headgate.gateway import refusals
from headgate.gateway.asking import apply_headers, by_known_name
from headgate.gateway.caller import Call
from headgate.gateway.conversations import Conversations
from headgate.gateway.images import Images, by_address
from headgate.gateway.keys import ANYBODY, holder
from headgate.gateway.services import Worker
from headgate.wire.doors import Reader, Ready, Referring
from headgate.wire.faults import Fault


class Intake:
    """Reads what callers send.

    Args:
        policy: the models, agents and tasks that there are.
        tokenizer: spells token ids.
        conversations: what callers may go on from.
        images: fetches images that callers give by address; None leaves that to engines that do it themselves.
        body_limit: bytes of a request's body, for the error that names it.
        workers: answer for subagents that take more than one request to a model.
        brought: names agents of theirs that no config has.
    """

    def __init__(
        self,
        policy: Policy,
        tokenizer: Tokenizer,
        conversations: Conversations,
        images: Images | None,
        body_limit: int,
        *,
        workers: Sequence[Worker] = (),
        brought: refusals.Brought = tuple,
    ) -> None:
        self.policy = policy
        self.tokenizer = tokenizer
        self.conversations = conversations
        self.images = images
        self.body_limit = body_limit
        self.workers = workers
        self.brought = brought

    async def read(self, call: Call, reader: Reader, request_id: str) -> Request | Fault | Ready:
        """The request of a call, ready to be routed or answered already, or what is wrong with it.

        What must stay on the user's machines asks nobody for its images.
        """
        stranger = refusals.foreign_page(call.headers, known=holder.get() is not ANYBODY)
        if stranger is not None:
            return stranger
        body = call.body
        if body is None:
            return refusals.too_large(self.body_limit)
        if len(body) > LARGE:
            asked = await asyncio.to_thread(reader.decode_request, body, request_id)
        else:
            asked = reader.decode_request(body, request_id)
        if not isinstance(asked, Request):  # to ask first for what nearly all are costs least
            if isinstance(asked, Referring):
                asked = await self.conversations.resolve(asked)
            if isinstance(asked, Fault):
                return refusals.compressed(call.headers) or asked
            if isinstance(asked, Ready):
                known = apply_headers(asked.request, call.headers)
                if isinstance(known, Fault):
                    return known
                return self.unroutable(by_known_name(self.policy, known)) or asked
        request = apply_headers(asked, call.headers)
        if not isinstance(request, Request):
            return request
        request = by_known_name(self.policy, request)
        if request.asked.startswith(AGENT):
            return await self.for_agent(request)
        return self.unroutable(request) or await self.prepare(request)

    def unroutable(self, request: Request) -> Fault | None:
        """Why this request can never be routed."""
        return refusals.unroutable(self.policy, request, self.brought)

    async def for_agent(self, request: Request) -> Request | Fault:
        """The request in the words of the subagent that it asks for; untouched by it where a worker answers."""
        fault = self.unroutable(request)
        if fault is not None:
            return fault
        agent = self.policy.agents.get(request.asked.removeprefix(AGENT))
        if agent is None:
            return await self.prepare(request)
        asked = ask(agent, request)
        if isinstance(asked, Unfit):
            return refusals.unfit_input(asked)
        return await self.prepare(asked if self.worker_for(asked) is not None else give(agent, asked))

    def worker_for(self, request: Request) -> Worker | None:
        """Who answers a request that takes more than one request to a model; None is the usual way."""
        return next((worker for worker in self.workers if worker.takes(request)), None)

    async def prepare(self, request: Request) -> Request | Fault:
        """The request with all that it speaks of and does not hold."""
        found: Request | Fault = request
        if self.images is not None and by_address(request) and not (request.native or stays_home(request)):
            found = await self.images.fetch(request)
        if isinstance(found, Request) and (found.store or found.previous):
            found = await self.conversations.recall(found)
        if isinstance(found, Request) and found.token_ids:
            found = await self.spell(found)
        return found

    async def spell(self, request: Request) -> Request | Fault:
        """The request with the texts that its token ids spell."""
        texts = await self.tokenizer.spell(request.token_ids)
        if isinstance(texts, int):
            return refusals.no_token(texts)
        return replace(request, messages=tuple([Message("user", text) for text in texts]))


def stays_home(request: Request) -> bool:
    """Whether the caller keeps the request on the user's machines."""
    return request.local_only or request.asked == "auto:local"
