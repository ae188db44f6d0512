"""The items of OpenAI's Responses → messages.

There, what a model thinks, says and calls are items of their own, one after the other; here they are one message. Items
that belong to tools which OpenAI runs are refused, because nobody here could have made them or could read them.

A reference stands for an item of an earlier answer. Of what a model said or thought in several items, the first stands for
all of it, because an answer is known as one message; what is named twice is taken once.

It does not know the rest of the request (`openai_responses`), nor how items are written (`openai_responses_answers`).

Source: OpenAI's API reference and the types of its Python client 3.57 (docs/api.md).
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from headgate.core.types import Message, Part, Text, ToolCall
from headgate.core.words import Role
from headgate.wire.doors.openai_responses_ids import read_item_id
from headgate.wire.doors.reading import image_from
from headgate.wire.faults import Fault

TEXTS = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})


class WirePart(Struct, gc=False):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None


class WireItem(Struct, gc=False):
    type: str = "message"
    id: str | None = None
    role: Role | None = None
    content: str | list[WirePart] | None = None
    summary: list[WirePart] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[WirePart] | None = None

    @property
    def refers(self) -> bool:
        """Whether it only names another item; such a one may come without its type."""
        if self.type == "message":
            return self.role is None and self.content is None and self.id is not None
        return self.type == "item_reference"


class Conversation:
    """Messages being put together from items.

    Args:
        known: the earlier answers that references may name, by the ids of their requests.
    """

    def __init__(self, known: Mapping[str, Message]) -> None:
        self._known = known
        self._recalled: set[str] = set()
        self._messages: list[Message] = []
        self._thoughts: list[str] = []
        self._texts: list[str] = []
        self._calls: list[ToolCall] = []

    def messages(self) -> tuple[Message, ...]:
        """All of them, with what the assistant said last."""
        self._turn()
        return tuple(self._messages)

    def add(self, item: WireItem) -> None:
        """Take the next item.

        Raises:
            ValueError: it cannot be understood, for people.
            LookupError: it names an item that is not known, by this id.
        """
        if item.refers:
            self._recall(item.id)
        elif item.type == "message":
            self._say(item)
        elif item.type == "reasoning":
            self._thoughts += [
                text for text in map(text_of, [*(item.summary or ()), *parts_of(item)]) if text
            ]
        elif item.type == "function_call":
            if item.call_id is None or item.name is None:
                raise ValueError("a function_call needs call_id, name and arguments")
            self._calls.append(ToolCall(item.call_id, item.name, item.arguments or ""))
        elif item.type == "function_call_output":
            if item.call_id is None or item.output is None:
                raise ValueError("a function_call_output needs call_id and output")
            self._turn()
            self._messages.append(Message("tool", content_of(item.output), tool_call_id=item.call_id))
        else:
            raise ValueError(
                f"an item has the type {item.type[:40]!r}, which belongs to a tool that is not run here"
            )

    def _say(self, item: WireItem) -> None:
        if item.role is None or item.content is None:
            raise ValueError("a message needs role and content")
        if item.role == "tool":
            raise ValueError('a message has the role "tool"; what a tool gave is a function_call_output')
        if item.role == "assistant":
            self._speak(item.content if isinstance(item.content, str) else spoken(item.content))
        else:
            self._turn()
            self._messages.append(Message(item.role, content_of(item.content)))

    def _speak(self, text: str) -> None:
        if self._texts and not self._calls:
            self._turn()
        self._texts.append(text)

    def _recall(self, name: str | None) -> None:
        if not name:
            raise ValueError("an item_reference needs the id of an item")
        if name in self._recalled:
            return
        self._recalled.add(name)
        item = read_item_id(name)
        answer = self._known.get(item.answer)
        if item.kind == "reasoning":  # without it the answer is the same: none is missed
            if answer is not None and answer.reasoning and item.number == 0:
                self._thoughts.append(answer.reasoning)
        elif item.kind == "message" and answer is not None:
            if item.number == 0:
                self._speak(answer.text)
        elif item.kind == "function_call" and answer is not None and item.number < len(answer.tool_calls):
            self._calls.append(answer.tool_calls[item.number])
        else:
            raise LookupError(name)

    def _turn(self) -> None:
        """End what the assistant says: other people's words follow, or another answer of his."""
        if self._thoughts or self._texts or self._calls:
            self._messages.append(
                Message(
                    "assistant",
                    "\n\n".join(self._texts),
                    tuple(self._calls),
                    reasoning="\n\n".join(self._thoughts),
                )
            )
            self._thoughts, self._texts, self._calls = [], [], []


def answers_named(items: Sequence[WireItem]) -> frozenset[str]:
    """The ids of the requests whose answers are referred to, in as far as they can be ours."""
    named = [read_item_id(item.id or "").answer for item in items if item.refers]
    return frozenset([answer for answer in named if answer])


def no_item(name: str) -> Fault:
    """A reference to what is not known, or not any more."""
    return Fault(
        status=404,
        message=f"Item with id '{name[:100]}' not found.",
        param="input",
        hint="items are remembered for an hour, and not with store: false; send the items themselves"
        " (Vercel's AI SDK does with providerOptions: {openai: {store: false}})",
    )


def parts_of(item: WireItem) -> Sequence[WirePart]:
    """The content of an item that has parts."""
    return item.content if isinstance(item.content, list) else ()


def spoken(parts: Sequence[WirePart]) -> str:
    """What an assistant said, as one text."""
    return "".join([part.refusal or "" if part.type == "refusal" else text_of(part) for part in parts])


def content_of(content: str | Sequence[WirePart]) -> str | tuple[Part, ...]:
    """Content in our form.

    Raises:
        ValueError: a part of a kind that cannot be passed on, for people.
    """
    return content if isinstance(content, str) else tuple([part_from(part) for part in content])


def part_from(part: WirePart) -> Part:
    """A content part in our form: text or an image.

    Raises:
        ValueError: it is neither, for people.
    """
    if part.type != "input_image":
        return Text(text_of(part))
    if part.image_url is None:
        raise ValueError(
            "an input_image has no image_url; files that OpenAI keeps (file_id) are not known here"
        )
    return image_from(part.image_url)


def text_of(part: WirePart) -> str:
    """The text of a part.

    Raises:
        ValueError: it has none, for people.
    """
    if part.type in TEXTS:
        if part.text is None:
            raise ValueError(f"a content part of type {part.type} has no text in it")
        return part.text
    known = "input_text, input_image, output_text, refusal"
    raise ValueError(f"a content part has the type {part.type[:40]!r}, which is none of {known}")
