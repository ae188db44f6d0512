"""The engine behind the gateway under test: OpenAI's dialect, two models, and faults on demand.

`faulty` fails in the way that the prompt's marker names; `good` answers. What the good model says tells how often the faulty one
had been asked for the same request, so the judge knows whether the fault was met at all, without asking anyone.
"""

from collections import Counter
from typing import Any, ClassVar

from headgate.testing.answers import Answer, ServedModel, ToolCall, default_answer
from headgate.testing.calls import ReceivedCall, text_of
from headgate.testing.conformance import cases
from headgate.testing.conformance.cases import FAULTY, GOOD, Case
from headgate.testing.faults import Fault, FaultKind
from headgate.testing.openai import OpenAIDouble
from headgate.testing.openai_rules import Problem
from headgate.testing.replies import Reply

OVERLOADED = Problem("Overloaded", status=529, type="overloaded_error")


class FaultyUpstream(OpenAIDouble):
    """Two models on one port. It asks for no key; nothing needs to be injected."""

    asks_for_key: ClassVar[bool] = False

    def __init__(self, **more: Any) -> None:
        super().__init__(
            dict.fromkeys((FAULTY, GOOD), ServedModel(context=128_000)),
            self._say,
            label="faulty upstream",
            **more,
        )
        self._asked: Counter[str] = Counter()

    def fault_for(self, call: ReceivedCall) -> Fault | None:
        """The fault of the case that is asked for, if the faulty model is."""
        case, request_id = _asked_for(self, call)
        if case is None or call.model != FAULTY:
            return super().fault_for(call)
        self._asked[request_id] += 1
        return case.fault

    def reply(self, call: ReceivedCall, fault: Fault | None) -> Reply:
        """As OpenAI would, but overloaded in Anthropic's number, which others have taken over."""
        if fault and fault.kind is FaultKind.OVERLOADED:
            return self._error(OVERLOADED)
        return super().reply(call, fault)

    def _say(self, call: ReceivedCall) -> Answer:
        case, request_id = _asked_for(self, call)
        if case is None:
            return default_answer(call, self.label)
        if call.model == GOOD:
            return _right(call, case, request_id, asked_before=self._asked[request_id])
        match case.name:
            case "wrong-model":
                return Answer(cases.BY_THE_IMPOSTOR)
            case "silent-truncation":
                return Answer(cases.AFTER_A_CUT, input_tokens=cases.SEEN_OF_A_LONG_PROMPT)
            case "garbage-arguments":
                return _called('{"ticket": "' + request_id + '", "boats": tw')
            case "misfit-arguments":
                return _called({"ticket": request_id, "boats": "two", "colour": "red"})
            case _:
                return Answer(cases.note(request_id) + cases.BY_THE_FIRST)


def _asked_for(upstream: FaultyUpstream, call: ReceivedCall) -> tuple[Case | None, str]:
    """The case and the request's id, if the prompt is one of the suite's."""
    name, request_id = cases.marked(call.prompt) or ("", "")
    return cases.case_of(name, stream=upstream.streams(call)), request_id


def _right(call: ReceivedCall, case: Case, request_id: str, *, asked_before: int) -> Answer:
    """The good model's answer. What is there of it already, as a last message of the assistant's, is continued."""
    if case.tool:
        return _called(cases.arguments(request_id, asked_before))
    text = cases.note(request_id) + cases.BY_THE_SECOND.format(asked_before)
    last = call.messages[-1]
    begun = text_of(last.get("content")) if last.get("role") == "assistant" else ""
    return Answer(text.removeprefix(begun))


def _called(arguments: dict[str, Any] | str) -> Answer:
    return Answer(tool_calls=(ToolCall("book_passage", arguments),), finish="tool_calls")
