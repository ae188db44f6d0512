"""The paths of the worker that makes audits, for /openapi.json. It does not know who answers them (`auditing`)."""

from collections.abc import Mapping
from typing import Any

from headgate.dash.auditing import RUN, STATUS, Audits, ExpectQuery, Ran, WireRun
from headgate.dash.described import UNUSABLE, json, looked, told
from headgate.dash.routing_described import body
from headgate.gateway.openapi import in_query, whole
from headgate.lab.auditing.expected import Expected


def described() -> Mapping[str, Mapping[str, Any]]:
    """Path → method → operation."""
    run = told(
        "post", RUN, "The next audit that is due is made now", json(whole(Ran)), wrong=(*UNUSABLE, 413)
    )
    run["requestBody"] = body(whole(WireRun)) | {"required": False}
    expected = looked(
        RUN,
        "The audits that could be made now, and what that can cost at most",
        json(whole(Expected)),
        asks=in_query(ExpectQuery),
        wrong=UNUSABLE,
    )
    return {
        STATUS: looked(STATUS, "How it stands with audits", json(whole(Audits)), wrong=UNUSABLE),
        RUN: {**expected, "post": run},
    }
