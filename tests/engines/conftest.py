"""The transport is tested on both event loops that it runs on; what stands on it, on the plain one."""

import asyncio

import uvloop


def pytest_asyncio_loop_factories(config, item):
    both = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return both if item.path.name.startswith("test_transport") else {"asyncio": asyncio.new_event_loop}
