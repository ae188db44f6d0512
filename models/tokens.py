"""The byte-level BPE tokenizer: trained on our own texts, readable by llama.cpp as "gpt2" with pre "qwen2".

Digits are split one by one (that is what "qwen2" means here), so that order numbers can be copied digit by digit.
"""

import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from corpus import HERE
from examples import Example, make

SPECIAL = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
PAD, END = 0, 1
VOCABULARY = 1300
FILE = HERE / "work" / "tokenizer.json"
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# One line, as it is stored in the GGUF file; `prompt_text` is the same in Python.
CHAT_TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] | trim + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def prompt_text(example: Example) -> str:
    """The chat as the template renders it, up to where the answer begins."""
    turns = "".join(f"<|{role}|>{text.strip()}<|end|>" for role, text in example.messages)
    return turns + "<|assistant|>"


def train(path: Path = FILE) -> Tokenizer:
    """Learn the merges from 30,000 examples (seeded; the same every time)."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = (
        text
        for example in make(30_000, seed=11)
        for text in (*(m[1] for m in example.messages), example.answer)
    )
    tokenizer.train_from_iterator(texts, trainer)
    path.parent.mkdir(exist_ok=True)
    tokenizer.save(str(path))
    return tokenizer


def load(path: Path = FILE) -> Tokenizer:
    """The tokenizer, trained now if it is not there yet."""
    return Tokenizer.from_file(str(path)) if path.exists() else train(path)


def gguf_lists(tokenizer: Tokenizer) -> tuple[list[str], list[str]]:
    """Tokens by id, and merges as "left right" lines, as GGUF wants them."""
    model = json.loads(tokenizer.to_str())["model"]
    by_id = sorted(model["vocab"], key=model["vocab"].__getitem__)
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    return by_id, merges


if __name__ == "__main__":
    print(f"{FILE}: {train().get_vocab_size()} tokens")
