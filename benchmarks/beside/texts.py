"""What is asked and answered in the benchmark: plain English, about 1 KB each way."""

import json

PROMPT = """How should a small bicycle workshop move its bookings from the phone to its website without losing \
customers? There are three of us, and about forty repairs a week. Until now every customer phones, one of us puts the \
spanner down, looks into the paper diary and suggests a day. In spring the phone rings all morning, and on wet days \
nobody calls at all. We are thinking of letting people book a slot online instead, but two of the mechanics worry that \
customers will describe the wrong fault, book twenty minutes for a job that takes two hours, and then be cross when \
the bicycle is not ready. My own worry is the older customers, who like to talk to a person before they trust us with \
anything. We have no money for a new system this year, but some quiet evenings until March, and my niece, who built \
our website when she was at school, still looks after it now and then. We would like to know within a month whether \
the change was a good idea, and to be able to go back if it was not. This is ticket ########."""

ANSWER = """I would start with the smallest step: let people book a drop-off day online, but not a repair. The form asks \
for a name, a number and one sentence about what is wrong, and it promises a call back once a mechanic has seen the \
bicycle. Nobody has to guess how long a job takes, so the fear of two-hour surprises goes away, and the diary fills \
itself while your hands stay on the spanner.

Keep the phone exactly as it is for anyone who prefers it. Older customers lose nothing, and every booking that moves to \
the website makes it easier to pick up when they ring.

To judge it after a month, write three things on the wall each evening: how often the phone interrupted a repair, how \
many bicycles were promised for the wrong day, and how many people booked online. If interruptions fall and broken \
promises do not rise, carry on and add fixed slots for punctures next."""

MARKER = "carry on and add fixed slots for punctures next."
"""The answer's last words: an answer without them is an error."""


def request_body(model: str) -> bytes:
    """The request, for the model's name at that gate."""
    return json.dumps({"model": model, "messages": [{"role": "user", "content": PROMPT}]}).encode()


def completion() -> bytes:
    """What the engine answers."""
    return json.dumps(
        {
            "id": "chatcmpl-canned",
            "object": "chat.completion",
            "created": 1_760_000_000,
            "model": "bench",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": ANSWER, "refusal": None},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 214, "completion_tokens": 187, "total_tokens": 401},
        },
        ensure_ascii=False,
    ).encode()


def model_list() -> bytes:
    """The engine's models, for a gate that looks."""
    return json.dumps({"object": "list", "data": [{"id": "bench", "object": "model"}]}).encode()
