"""A machine for `headgate doctor`: a page, Ollama as a double of its program, LM Studio and two paid APIs as doubles."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headgate.testing import AnthropicDouble, LMStudioDouble, OpenAIDouble, write_ollama
from program_doubles import free_port

LMSTUDIO = {name: replace(model, loaded=False) for name, model in LMStudioDouble.default_models().items()}
SCREENS = Path(__file__).parent.parent / "data" / "screens"

PAGE = """
[server]
listen = "127.0.0.1:0"

[engines.ollama]
kind = "ollama"
url = "http://127.0.0.1:{ollama}"

[engines.lmstudio]
kind = "lmstudio"
url = "{lmstudio}"

[engines.anthropic]
kind = "anthropic"
url = "{anthropic}"
key = "env:TEST_KEY"

[engines.openai]
kind = "openai"
url = "{openai}/v1"
key = "env:TEST_KEY"

[models.llama]
engine = "ollama"
id = "llama3.1:8b"
context = 8192

[models.coder]
engine = "ollama"
id = "qwen2.5-coder:7b"
context = 8192

[models.embed]
engine = "ollama"
id = "nomic-embed-text"
kind = "embedding"
context = 2048

[models.phi]
engine = "lmstudio"
id = "phi-3-mini-128k-instruct"
context = 8192

[models.claude]
engine = "anthropic"
id = "claude-sonnet-5-5"

[models.gpt]
engine = "openai"
id = "gpt-4o"

[[routes]]
name = "vectors"
tasks = ["embedding"]
try = ["embed"]

[[routes]]
name = "everything else"
try = ["llama", "coder", "phi", "claude", "gpt"]

[fleet]
ram_gb = 64

[report]
timezone = "utc"
"""


@dataclass
class Desk:
    """A shell, the doubles around it, and what the doctor says."""

    shell: Any
    ollama: int
    lmstudio: LMStudioDouble
    anthropic: AnthropicDouble
    openai: OpenAIDouble

    def page(self) -> str:
        return PAGE.format(
            ollama=self.ollama,
            lmstudio=self.lmstudio.url,
            anthropic=self.anthropic.url,
            openai=self.openai.url,
        )

    def change(self, *pairs: tuple[str, str]) -> None:
        """Write the page with these changes."""
        page = self.page()
        for old, new in pairs:
            assert old in page
            page = page.replace(old, new)
        self.shell.write(page)

    def doctor(self, *args: str, **env: str) -> dict[str, dict[str, Any]]:
        """Every check by its name; where there are several, the last one."""
        return {check["name"]: check for check in self.shell("doctor", "--json", *args, **env).json["checks"]}

    def start_ollama(self) -> None:
        said = self.shell("engines", "start", "ollama", "--yes")
        assert said.code == 0, said.err

    def same_screen(self, name: str, text: str) -> None:
        """Compare with the screen that is kept; HEADGATE_WRITE_SCREENS=1 keeps this one instead."""
        ports = {self.ollama: "11434"}
        for double, port in ((self.lmstudio, "1234"), (self.anthropic, "443"), (self.openai, "444")):
            ports[double._listener.port] = port
        for port, shown in ports.items():
            text = text.replace(f":{port}", f":{shown}")
        text = text.replace(str(self.shell.home), "/home")
        text = re.sub(r"[\d,.]+ GB free", "99.9 GB free", text)
        text = re.sub(r"[\d.]+ GiB of RAM, \d+ cores?", "64.0 GiB of RAM, 8 cores", text)
        text = re.sub(r" \(\d+\.\d s\)", "", text)
        boxed = (
            "nvidia-smi  # if the driver works, start the container with --gpus all"  # where tests run in one
        )
        text = text.replace(
            boxed, "nvidia-smi && headgate engines stop ollama && headgate engines start ollama"
        )
        kept = SCREENS / f"{name}.txt"
        if os.environ.get("HEADGATE_WRITE_SCREENS"):
            kept.write_text(text)
        assert text == kept.read_text()


@contextmanager
def desk_of(shell: Any, folder: Path) -> Iterator[Desk]:
    """The machine, with Ollama installed and not started."""
    folder.mkdir()
    write_ollama(folder)
    shell.env["PATH"] = str(folder)
    with (
        LMStudioDouble(LMSTUDIO).in_thread() as lmstudio,
        AnthropicDouble().in_thread() as anthropic,
        OpenAIDouble().in_thread() as openai,
    ):
        desk = Desk(shell, free_port(), lmstudio, anthropic, openai)
        shell.write(desk.page())
        try:
            yield desk
        finally:
            shell("engines", "stop", "ollama", "--yes")
