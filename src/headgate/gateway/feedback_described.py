"""/v1/feedback for /openapi.json. It does not know who answers it (`feedback`)."""

from collections.abc import Mapping
from typing import Any

from headgate.gateway.openapi import TAKING, TEXT, refusals
from headgate.gateway.openapi_answers import YES_OR_NO, Schema, has, maybe, one_of

THUMB = one_of("up", "down")
FEEDBACK = has(
    {
        "object": one_of("feedback"),
        "id": {"type": "string", "pattern": "^[0-9a-f]{19}$"},
        "thumb": maybe(THUMB),
        "comment": TEXT,
        "counts_as": maybe(one_of("good", "missed")),
        "in_force": YES_OR_NO,
    }
)
BODY: Schema = {
    "type": "object",
    "required": ["id", "thumb"],
    "additionalProperties": False,
    "properties": {
        "id": {
            "description": "from the header x-headgate-request-id, or the id of the answer",
            "type": "string",
            "pattern": "^([a-z]{1,12}[-_])?[0-9a-f]{19}$",
        },
        "thumb": {"description": "null takes back what was said", **maybe(THUMB)},
        "comment": {"type": ["string", "null"], "maxLength": 2000, "default": None},
    },
}


def described() -> Mapping[str, Mapping[str, Any]]:
    """The path and its operation."""
    return {
        "/v1/feedback": {
            "post": {
                "operationId": "give_feedback",
                "summary": "Say of an answer that it was good, or not",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": BODY,
                            "examples": {
                                "down": {
                                    "value": {
                                        "id": "19a8f3c2b4d00000001",
                                        "thumb": "down",
                                        "comment": "the amount is wrong",
                                    }
                                }
                            },
                        }
                    },
                },
                "responses": {
                    "200": {
                        "description": "What is known of the answer from now on",
                        "content": {"application/json": {"schema": FEEDBACK}},
                    },
                    "409": {
                        "description": "the request got no answer that could be judged",
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/openai.error"}}
                        },
                    },
                    **refusals("openai", (*TAKING, 503)),
                },
            }
        }
    }
