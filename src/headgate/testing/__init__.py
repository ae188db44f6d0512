"""Doubles of Ollama, LM Studio, OpenAI, Anthropic and Hugging Face on real sockets, with the real protocols, failing on demand.

Only names stand here; `docs/testing.md` shows how to use them. Nothing in this package imports the rest of headgate.
"""

from headgate.testing.answers import Answer, ServedModel, ToolCall, count_tokens, minimal_instance
from headgate.testing.anthropic import AnthropicDouble
from headgate.testing.calls import ReceivedCall
from headgate.testing.double import Double
from headgate.testing.faults import Fault, FaultKind
from headgate.testing.hugging_face import HuggingFaceDouble
from headgate.testing.lmstudio import LMStudioDouble
from headgate.testing.ollama import OllamaDouble
from headgate.testing.openai import OpenAIDouble

__all__ = [
    "Answer",
    "AnthropicDouble",
    "Double",
    "Fault",
    "FaultKind",
    "HuggingFaceDouble",
    "LMStudioDouble",
    "OllamaDouble",
    "OpenAIDouble",
    "ReceivedCall",
    "ServedModel",
    "ToolCall",
    "count_tokens",
    "minimal_instance",
]
