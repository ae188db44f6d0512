"""Train one of the chat models and export it to GGUF: `python train.py nano|micro|clerk`.

A plain Llama (RMSNorm, interleaved RoPE, grouped-query attention, SwiGLU, tied embeddings) in PyTorch on one CPU
thread. The loss counts answers fully and prompts a little. Steps, not minutes, end the training, so that a run can be repeated.
"""

import argparse
import math
import os
import random
import time
from dataclasses import dataclass, replace
from pathlib import Path

import gguf
import numpy as np
import torch
from torch import nn
from torch.nn import functional

import tokens
from clerk import CLERK_MIX, CLERK_POLISH, make_clerk
from corpus import HERE
from examples import MIX, POLISH, make

SHIPPED = HERE.parent / "src" / "headgate" / "engines" / "llamacpp" / "models"
EPSILON = 1e-5
EIGHT_BIT = gguf.GGMLQuantizationType.Q8_0


@dataclass(frozen=True)
class Stage:
    """A part of a training."""

    steps: int
    batch: int
    rate: float
    mix: dict[str, int]
    falling: bool = True  # the rate falls to nothing in the end; else it stays
    number: float = 1.0  # what the number of the passage counts, in an answer from passages


@dataclass(frozen=True)
class Shape:
    """The size of a model, and its training."""

    name: str
    width: int
    layers: int
    heads: int
    kv_heads: int
    hidden: int
    stages: tuple[Stage, ...]
    dropout: float
    rope_base: float
    copies: bool = False  # start with a planted copying circuit
    start: str = ""  # the shipped model whose weights it starts from
    vocabulary: str = "office"
    context: int = 1024


NANO = (Stage(4200, 32, 5e-3, MIX),)
MICRO = (Stage(2200, 32, 3e-3, MIX), Stage(600, 32, 1e-3, POLISH))
CLERK = (
    Stage(1000, 24, 2e-3, CLERK_MIX, falling=False),
    Stage(1200, 16, 2e-3, CLERK_MIX, falling=False),
    Stage(1900, 16, 2e-3, CLERK_POLISH, number=6.0),
)
SHAPES = {
    "nano": Shape("nano", 64, 2, 4, 2, 160, NANO, dropout=0.0, rope_base=1e4),
    "micro": Shape("micro", 128, 4, 4, 2, 384, MICRO, dropout=0.05, rope_base=1e6, copies=True),
    "clerk": Shape(
        "clerk",
        *(128, 4, 4, 2, 384, CLERK),
        dropout=0.0,
        rope_base=1e6,
        start="micro",
        vocabulary="clerk",
        context=2048,
    ),
}


class Norm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.rms_norm(x, (x.shape[-1],), self.weight, EPSILON)


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """RoPE on neighbouring pairs, as llama.cpp does for arch "llama"; x is (batch, heads, time, head width)."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        width, head = shape.width, shape.width // shape.heads
        self.attn_norm, self.ffn_norm = Norm(width), Norm(width)
        self.attn_q = nn.Linear(width, shape.heads * head, bias=False)
        self.attn_k = nn.Linear(width, shape.kv_heads * head, bias=False)
        self.attn_v = nn.Linear(width, shape.kv_heads * head, bias=False)
        self.attn_output = nn.Linear(width, width, bias=False)
        self.ffn_gate = nn.Linear(width, shape.hidden, bias=False)
        self.ffn_up = nn.Linear(width, shape.hidden, bias=False)
        self.ffn_down = nn.Linear(shape.hidden, width, bias=False)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        batch, time_, width = x.shape
        drop = self.shape.dropout
        h = self.attn_norm(x)
        q = self.attn_q(h).view(batch, time_, self.shape.heads, -1).transpose(1, 2)
        k = self.attn_k(h).view(batch, time_, self.shape.kv_heads, -1).transpose(1, 2)
        v = self.attn_v(h).view(batch, time_, self.shape.kv_heads, -1).transpose(1, 2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        out = self.attn_output(mixed.transpose(1, 2).reshape(batch, time_, width))
        x = x + functional.dropout(out, drop, self.training)
        h = self.ffn_norm(x)
        out = self.ffn_down(functional.silu(self.ffn_gate(h)) * self.ffn_up(h))
        return x + functional.dropout(out, drop, self.training)


class Llama(nn.Module):
    def __init__(self, shape: Shape, vocabulary: int) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(vocabulary, shape.width)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = Norm(shape.width)
        head = shape.width // shape.heads
        frequencies = shape.rope_base ** (-torch.arange(0, head, 2) / head)
        angles = torch.outer(torch.arange(shape.context), frequencies)
        self.frequencies = frequencies
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                narrow = (
                    1 / math.sqrt(2 * shape.layers)
                    if name.endswith(("attn_output.weight", "ffn_down.weight"))
                    else 1
                )
                nn.init.normal_(weight, std=narrow / math.sqrt(shape.width))

    def forward(self, ids: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """The logits at the `wanted` positions, one row each."""
        x = self.token_embd(ids)
        cos, sin = self.cos[: ids.shape[1]], self.sin[: ids.shape[1]]
        for block in self.blk:
            x = block(x, cos, sin)
        return self.output_norm(x[wanted]) @ self.token_embd.weight.T


@torch.no_grad()
def plant_copying(model: Llama) -> None:
    """Write an induction circuit into the first two layers, so that training need not discover it.

    Layer 0, head 0 looks one token back and adds what stood there to the stream. Layer 1, head 0 looks for places whose
    previous token equals the current one, and passes on what stands there. Found by gradient descent alone this takes
    longer than our whole training; planted, it copies from the first step and is only refined.
    """
    shape, head = model.shape, model.shape.width // model.shape.heads
    for block in model.blk:
        # Start with a quiet residual stream: whatever drowns the embeddings drowns the copies.
        block.attn_output.weight *= 0.03
        block.ffn_down.weight *= 0.03
    # One embedding dimension is the same for every token: a bias by which queries and keys can be constants.
    model.token_embd.weight[:, 0] = 3 / math.sqrt(shape.width)
    back, search = model.blk[0], model.blk[1]

    query, key = torch.zeros(head), torch.zeros(head)
    for pair, angle in enumerate(model.frequencies[:5].tolist()):
        # A key turned by one position makes the score peak at a distance of one.
        query[2 * pair] = 2.2
        key[2 * pair], key[2 * pair + 1] = 2.2 * math.cos(angle), 2.2 * math.sin(angle)
    for weight, constant in ((back.attn_q.weight, query), (back.attn_k.weight, key)):
        weight[:head] = 0
        weight[:head, 0] = constant
    back.attn_output.weight[:, :head] *= 3 * math.sqrt(2 * shape.layers)

    shown = back.attn_output.weight[:, :head]
    search.attn_q.weight[:head] = 2 * back.attn_v.weight[:head]
    # The fast-turning pairs would scramble the comparison over a distance.
    search.attn_q.weight[:14] = 0
    search.attn_k.weight[:head] = 2 * (shown / shown.norm(dim=0, keepdim=True)).T
    search.attn_output.weight[:, :head] = 2 * search.attn_v.weight[:head].T


@torch.no_grad()
def make_neighbours(model: Llama, names: list[str]) -> None:
    """Let single letters and signs with and without a leading space start out alike.

    An order number stands after a space in the mail and without one in the answer.
    """
    weight = model.token_embd.weight
    rows = {name: row for row, name in enumerate(names)}
    for name, row in rows.items():
        spaced = rows.get(f"Ġ{name}") if len(name) == 1 else None
        if spaced is not None:
            # 0.8 and 0.6: the length stays the same.
            weight[spaced] = 0.8 * weight[row] + 0.6 * weight[spaced]


def twins(names: list[str]) -> list[tuple[int, int]]:
    """The rows of words that have a token without and one with a space before them."""
    rows = {name: row for row, name in enumerate(names)}
    return [(row, rows[f"Ġ{name}"]) for name, row in rows.items() if f"Ġ{name}" in rows]


def answer_weights(shape: Shape, stage: Stage, task: str, length: int) -> np.ndarray:
    """What each answer token counts in the loss: long answers (summaries) must not drown the one-word ones."""
    # In triage only two of a dozen tokens are a choice; they deserve the weight of a label.
    weights = np.full(length, 1.5 if task == "triage" else 2.0 / math.sqrt(length), dtype=np.float32)
    if shape.start:
        # What already copies has to learn where to begin: the label, or the first words of the sentence.
        weights[:9] *= 2.5
    if task == "grounded":
        # It stands before the bracket and the end of the answer: the one choice that is left when all is copied.
        weights[-3] *= stage.number
    return weights


def batches(shape: Shape, stage: Stage, seed: int):
    """Endless (ids, target weights): fresh examples, batched by similar length."""
    tokenizer = tokens.load(shape.vocabulary)
    examples_of = make if shape.vocabulary == "office" else make_clerk
    rng, shown = random.Random(seed), np.random.default_rng(seed)
    while True:
        examples = examples_of(stage.batch * 64, seed=rng.randrange(2**31), mix=stage.mix)
        prompts = tokenizer.encode_batch([tokens.prompt_text(e) for e in examples])
        answers = tokenizer.encode_batch([e.answer for e in examples])
        rows = [
            (p.ids, [*a.ids, tokens.END], answer_weights(shape, stage, e.task, len(a.ids) + 1))
            for e, p, a in zip(examples, prompts, answers, strict=True)
        ]
        rows.sort(key=lambda row: len(row[0]) + len(row[1]))
        groups = [rows[i : i + stage.batch] for i in range(0, len(rows), stage.batch)]
        rng.shuffle(groups)
        for group in groups:
            longest = max(len(p) + len(a) for p, a, _ in group)
            ids = np.full((len(group), longest), tokens.PAD, dtype=np.int64)
            weight = np.zeros((len(group), longest), dtype=np.float32)
            for row, (prompt, answer, worth) in enumerate(group):
                end = len(prompt) + len(answer)
                ids[row, :end] = prompt + answer
                # Predicting prompts a little keeps the embeddings of words apart; without it copying is lost.
                weight[row, 1 : len(prompt)] = 0.03
                if shape.start:
                    # The embeddings are there already: a fourth of the prompt is enough to keep them.
                    weight[row, 1 : len(prompt)] *= shown.random(len(prompt) - 1) < 0.25
                weight[row, len(prompt) : end] = worth
            yield torch.from_numpy(ids), torch.from_numpy(weight)


def build(shape: Shape, seed: int) -> Llama:
    """A model with its initial weights."""
    torch.manual_seed(seed)
    tokenizer = tokens.load(shape.vocabulary)
    model = Llama(shape, tokenizer.get_vocab_size())
    if shape.copies:
        make_neighbours(model, tokens.gguf_lists(tokenizer)[0])
        plant_copying(model)
    if shape.start:
        take_over(model, SHIPPED / f"headgate-{shape.start}.gguf")
    return model


@torch.no_grad()
def take_over(model: Llama, path: Path) -> None:
    """Start from the weights of a shipped model of the same shape; a token that it lacks is the mean of its pieces there."""
    given = {
        tensor.name: torch.tensor(gguf.dequantize(tensor.data, tensor.tensor_type))
        for tensor in gguf.GGUFReader(path).tensors
    }
    rows, rows_of = given.pop("token_embd.weight"), model.token_embd.weight
    old = tokens.load("office")
    names, _ = tokens.gguf_lists(tokens.load(model.shape.vocabulary))
    for row, name in enumerate(names):
        known = old.token_to_id(name)
        if known is None:
            pieces = rows[old.encode(tokens.decoded(name)).ids]
            # As long as the others, or it would be said more seldom.
            mean = pieces.mean(dim=0)
            rows_of[row] = mean * pieces.norm(dim=1).mean() / mean.norm()
        else:
            rows_of[row] = rows[known]
    for bare, spaced in twins(names):
        # Copying from within a text to the beginning of an answer is easier between words that look alike.
        twin = rows_of[spaced]
        mixed = 0.8 * twin + 0.6 * rows_of[bare]
        rows_of[bare] = mixed * twin.norm() / mixed.norm()
    missing = model.load_state_dict(given, strict=False).missing_keys
    assert missing == ["token_embd.weight"], missing


def train(model: Llama, stage: Stage, seed: int) -> None:
    """One stage of training, in place."""
    shape, steps = model.shape, stage.steps
    size = sum(w.numel() for w in model.parameters())
    print(f"{shape.name}: {size:,} parameters, {steps} steps")
    stepper = torch.optim.AdamW(model.parameters(), lr=stage.rate, betas=(0.9, 0.98), weight_decay=0.02)
    plan = torch.optim.lr_scheduler.LambdaLR(
        stepper,
        lambda step: (
            min(1.0, (step + 1) / 100) * (min(1.0, 1.5 * (steps - step) / steps) if stage.falling else 1.0)
        ),
    )
    started, wall, running = time.process_time(), time.time(), 0.0
    model.train()
    for step, (ids, weight) in zip(range(1, steps + 1), batches(shape, stage, seed), strict=False):
        wanted = weight[:, 1:] > 0
        losses = functional.cross_entropy(model(ids[:, :-1], wanted), ids[:, 1:][wanted], reduction="none")
        weights = weight[:, 1:][wanted]
        loss = (losses * weights).sum() / weights.sum()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        stepper.step()
        plan.step()
        stepper.zero_grad()
        answered = (weights > 0.1).float()
        running += (losses.detach() * answered).sum().item() / answered.sum().item()
        if step % 200 == 0:
            torch.save(model.state_dict(), HERE / "work" / f"{shape.name}.pt")
            cpu = time.process_time() - started
            print(
                f"step {step}: answer loss {running / 200:.4f}, {cpu:.0f} CPU-s, {time.time() - wall:.0f} s",
                flush=True,
            )
            running = 0.0
    model.eval()


def start_from_file(model: Llama, seed: int) -> None:
    """Round the weights as a file in f16 would hold them, so that a stage can start from the file too."""
    for weight in model.parameters():
        if weight.ndim == 2:
            weight.data = weight.data.half().float()
    torch.manual_seed(seed)


def export(model: Llama, path: Path) -> None:
    """Write the GGUF file: Q8_0 matrices, f32 norms, tokenizer and chat template inside."""
    shape = model.shape
    by_id, merges = tokens.gguf_lists(tokens.load(shape.vocabulary))
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(f"headgate-{shape.name}")
    writer.add_description(
        "A toy model for demos and tests of Headgate; not an assistant. See MODEL_CARD.md."
    )
    writer.add_license("mit")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_vocab_size(len(by_id))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(by_id)
    kinds = (gguf.TokenType.CONTROL, gguf.TokenType.NORMAL)
    writer.add_token_types([kinds[0] if token in tokens.SPECIAL else kinds[1] for token in by_id])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(tokens.END)
    writer.add_eos_token_id(tokens.END)
    writer.add_eot_token_id(tokens.END)
    writer.add_pad_token_id(tokens.PAD)
    writer.add_add_bos_token(False)
    writer.add_chat_template(tokens.CHAT_TEMPLATE)
    for name, weight in model.state_dict().items():
        array = weight.float().numpy()
        if array.ndim == 2:
            writer.add_tensor(name, gguf.quantize(array, EIGHT_BIT), raw_dtype=EIGHT_BIT)
        else:
            writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=SHAPES)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, help="fewer steps in each stage, to try things out")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    shape = SHAPES[options.name]
    model = build(shape, options.seed)
    for n, stage in enumerate(shape.stages):
        if n and shape.copies:
            start_from_file(model, options.seed)
        train(model, replace(stage, steps=min(stage.steps, options.steps or stage.steps)), options.seed + n)
    options.out.mkdir(parents=True, exist_ok=True)
    target = options.out / f"headgate-{shape.name}.gguf"
    export(model, target)
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
