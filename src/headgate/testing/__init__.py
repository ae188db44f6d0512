"""Doubles of Ollama, LM Studio, OpenAI, Anthropic and Hugging Face on real sockets, with the real protocols, failing on demand.

Only names stand here; `docs/testing.md` shows how to use them. Nothing in this package imports the rest of headgate.
"""

from headgate.testing.answers import Answer, ServedModel, ToolCall, count_tokens, minimal_instance
from headgate.testing.anthropic import AnthropicDouble
from headgate.testing.batch_play import BatchPlay
from headgate.testing.calls import ReceivedCall
from headgate.testing.clock import Clock, Timing, VirtualClock, WallClock
from headgate.testing.double import Double
from headgate.testing.downloads import PullTrouble
from headgate.testing.faults import Fault, FaultKind
from headgate.testing.hugging_face import HuggingFaceDouble
from headgate.testing.lmstudio import LMStudioDouble
from headgate.testing.ollama import OllamaDouble
from headgate.testing.openai import OpenAIDouble
from headgate.testing.programs import Invocation, Program, write_lms, write_ollama

__all__ = [
    "Answer",
    "AnthropicDouble",
    "BatchPlay",
    "Clock",
    "Double",
    "Fault",
    "FaultKind",
    "HuggingFaceDouble",
    "Invocation",
    "LMStudioDouble",
    "OllamaDouble",
    "OpenAIDouble",
    "Program",
    "PullTrouble",
    "ReceivedCall",
    "ServedModel",
    "Timing",
    "ToolCall",
    "VirtualClock",
    "WallClock",
    "count_tokens",
    "minimal_instance",
    "write_lms",
    "write_ollama",
]
