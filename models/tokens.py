"""The byte-level BPE tokenizer: trained on our own texts, readable by llama.cpp as "gpt2" with pre "qwen2".

Digits are split one by one (that is what "qwen2" means here), so that order numbers can be copied digit by digit.
"""

import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from clerk import make_clerk
from corpus import HERE
from examples import Example, make

SPECIAL = ("<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
PAD, END = 0, 1
SIZES = {"office": 1300, "clerk": 2000}
"""The vocabularies and their tokens: nano and micro share one, clerk has its own."""
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


def file(vocabulary: str) -> Path:
    """Where it lies once it is trained."""
    return HERE / "work" / ("tokenizer.json" if vocabulary == "office" else f"tokenizer-{vocabulary}.json")


def train(vocabulary: str) -> Tokenizer:
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
        vocab_size=SIZES[vocabulary],
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    examples = make if vocabulary == "office" else make_clerk
    texts = [
        text
        for example in examples(30_000, seed=11)
        for text in (*(m[1] for m in example.messages), example.answer)
    ]
    if vocabulary == "clerk":
        # What stands after a space in a mail stands after a quotation mark in the answer: words get a token for both.
        texts += ["\n".join(example.messages[-1][1].split()) for example in examples(20_000, seed=12)]
    tokenizer.train_from_iterator(texts, trainer)
    path = file(vocabulary)
    path.parent.mkdir(exist_ok=True)
    tokenizer.save(str(path))
    return tokenizer


def load(vocabulary: str) -> Tokenizer:
    """The tokenizer, trained now if it is not there yet."""
    path = file(vocabulary)
    return Tokenizer.from_file(str(path)) if path.exists() else train(vocabulary)


def gguf_lists(tokenizer: Tokenizer) -> tuple[list[str], list[str]]:
    """Tokens by id, and merges as "left right" lines, as GGUF wants them."""
    model = json.loads(tokenizer.to_str())["model"]
    by_id = sorted(model["vocab"], key=model["vocab"].__getitem__)
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    return by_id, merges


def decoded(token: str) -> str:
    """The text that a token stands for, as far as it is whole characters."""
    return decoders.ByteLevel().decode([token])


if __name__ == "__main__":
    for name in SIZES:
        print(f"{file(name)}: {train(name).get_vocab_size()} tokens")
