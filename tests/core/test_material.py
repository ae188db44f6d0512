"""What is kept for an audit comes back as it was, the caller's own bytes included."""

from typing import get_args, get_type_hints

import msgspec
import pytest
from msgspec import Raw

from headgate.core.audits import Material, Said
from headgate.core.material import RAW, least_size, material_bytes, material_from
from headgate.core.types import Format, Image, Message, Request, Text, Tool, ToolCall

REQUEST = Request(
    id="req_1",
    asked="auto",
    messages=(
        Message("system", "Sort e-mails."),
        Message("user", (Text("Grüße 😀"), Image("data:image/png;base64,AAAA"))),
        Message("assistant", tool_calls=(ToolCall("1", "look", '{"at": 1}'),), reasoning="hm"),
        Message("tool", "seen", tool_call_id="1"),
    ),
    format=Format("schema", Raw(b'{"type": "object"}')),
    tools=(Tool("look", "looks", Raw(b'{"type": "object", "x": 1e2}')),),
    tool_choice=Raw(b'{"type": "function", "function": {"name": "look"}}'),
    extra={"metadata": Raw(b"[1,  2]")},
    echo={"user": Raw(b'"anna"')},
    raw_messages=Raw(b'[{"role":  "user"}]'),
    raw_system=Raw(b'[{"type": "text"}]'),
    raw_tools=Raw(b"[]"),
)


def material(request):
    said = Said(model="phi", local=True, text="work", scores={"known-label": 0.2}, score=0.2, cost=0.0)
    return Material(
        id=request.id,
        kind="fallback",
        request=request,
        task="classification",
        route="labels",
        chain=("phi", "claude"),
        said=(said, Said(model="claude", local=False, text="travel", label="travel")),
        answered="claude",
        pass_at=0.6,
        checks=("known-label",),
        cause="known-label",
    )


@pytest.mark.parametrize(
    "request_",
    [REQUEST, Request(id="a", asked="auto", messages=(Message("user", "Hi"),))],
    ids=["full", "plain"],
)
def test_material_comes_back_as_it_was(request_):
    before = material(request_)
    plain = material_bytes(before)
    assert plain.startswith(b"{"), "by which it is told from what is sealed"
    assert material_from(plain) == before
    assert least_size(before) <= len(plain)


def test_the_callers_own_bytes_are_kept_to_the_last_blank():
    back = material_from(material_bytes(material(REQUEST))).request
    assert bytes(back.raw_messages) == b'[{"role":  "user"}]'
    assert bytes(back.extra["metadata"]) == b"[1,  2]"
    assert bytes(back.format.schema) == b'{"type": "object"}'


def test_every_field_that_is_raw_or_missing_is_written_beside_the_request():
    hints = get_type_hints(Request)
    assert {name for name, hint in hints.items() if {Raw, type(None)} <= set(get_args(hint))} == set(RAW)
    others = [get_type_hints(part) for part in (Message, Tool, ToolCall, Text, Image, Said)]
    assert not any(Raw in get_args(hint) for hints in others for hint in hints.values())


@pytest.mark.parametrize("kept", [b"{}", b"", b'{"material": {"id": 1}}', b"\xff"])
def test_what_is_no_material_is_said_so(kept):
    with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
        material_from(kept)
