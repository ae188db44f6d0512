"""A real gate on a thread of its own, in front of doubles of Ollama and Anthropic, with a ledger that is full already or empty."""

import asyncio
import threading
from contextlib import AsyncExitStack, contextmanager

from headgate.app import open_gate
from headgate.config.load import parse_config
from headgate.gateway.listening import bind
from headgate.testing import AnthropicDouble, OllamaDouble

CONFIG = """
[server]
listen = "127.0.0.1:0"
{server}

[engines.ollama]
kind = "ollama"
url = "{ollama}"

[engines.anthropic]
kind = "anthropic"
url = "{anthropic}"
key = "env:TEST_KEY"

[models.llama]
engine = "ollama"
id = "llama3.1:8b"

[models.claude]
engine = "anthropic"
id = "claude-sonnet-5-5"

[[routes]]
name = "long"
tokens_over = 4000
try = ["claude"]

[[routes]]
name = "everything else"
try = ["llama", "claude"]

[report]
timezone = "utc"

[ledger]
path = "{ledger}"
flush = "20ms"
"""


@contextmanager
def served(folder, ledger, server=""):
    """A gate's address, while the block runs."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="page-gate", daemon=True)
    thread.start()
    stack = AsyncExitStack()

    async def open_all():
        ollama = await stack.enter_async_context(OllamaDouble(answer="It is a quiet morning at the desk."))
        claude = await stack.enter_async_context(AnthropicDouble(answer="It is a fine day in the cloud."))
        page = CONFIG.format(ollama=ollama.url, anthropic=claude.url, ledger=ledger, server=server)
        file = folder / "headgate.toml"
        file.write_text(page, encoding="utf-8")
        config = parse_config(page, file)
        gate = await stack.enter_async_context(open_gate(config))
        opened = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(gate.serve(bind("127.0.0.1", 0), opened.set_result))

        async def end():
            gate.stop()
            await serving

        stack.push_async_callback(end)
        return await opened

    try:
        yield asyncio.run_coroutine_threadsafe(open_all(), loop).result(60)
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
