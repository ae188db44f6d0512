"""How an engine is installed, in its maker's own words for each system. Pure: nothing here runs anything.

Sources: the download pages of ollama.com and lmstudio.ai; the repositories of Arch Linux and Nix carry Ollama themselves.
"""

from typing import Literal

from headgate.fleet.programs.machine import Machine, System

ProgramKind = Literal["ollama", "lmstudio", "llama-server", "vllm"]

COMMANDS: dict[ProgramKind, dict[System, str]] = {
    "ollama": {
        "linux": "curl -fsSL https://ollama.com/install.sh | sh",
        "darwin": "brew install ollama",
        "windows": "winget install Ollama.Ollama",
    },
    "lmstudio": {
        "linux": "curl -fsSL https://lmstudio.ai/install.sh | bash",
        "darwin": "brew install --cask lm-studio",
        "windows": "winget install ElementLabs.LMStudio",
    },
    "llama-server": {
        "linux": "brew install llama.cpp",
        "darwin": "brew install llama.cpp",
        "windows": "winget install llama.cpp",
    },
    "vllm": {"linux": "pip install vllm"},
}

PACKAGED = {"arch": "sudo pacman -S ollama", "nixos": "nix profile install nixpkgs#ollama"}
"""Distributions of Linux that carry Ollama themselves, and where its own script would be in their way."""


def install_command(kind: ProgramKind, system: System, distribution: str = "") -> str:
    """The command that installs it here; "" where its maker offers none."""
    if kind == "ollama" and system == "linux" and distribution in PACKAGED:
        return PACKAGED[distribution]
    return COMMANDS[kind].get(system, "")


def distribution(machine: Machine) -> str:
    """Which Linux it is: the `ID` of /etc/os-release, or "" when it does not say."""
    text = machine.read(machine.place("/etc/os-release")) or ""
    names = [line[3:].strip("\"'") for line in text.splitlines() if line.startswith("ID=")]
    return names[0] if names else ""
