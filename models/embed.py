"""Build headgate-embed.gguf: a deterministic lexical embedder in the shape of a small BERT, without training.

Every word piece has a fixed vector: a seeded random direction (so that equal words match) plus a direction learned by
factorising which words share a line or a category in our corpus (so that "invoice" is near "refund"). Rare pieces weigh
more (IDF). Attention and feed-forward weights are zero, so a text's embedding is the weighted mean of its pieces.

BERT normalises every token to the same length, which would undo the weights. Two spare dimensions therefore hold the
rest of each vector's length and are dropped by the gain of the last layer norm.
"""

import math
import random
import re
from collections import Counter

import gguf
import numpy as np

from corpus import HERE, LABELS, Corpus
from examples import make
from train import EIGHT_BIT, SHIPPED

WIDTH = 64
FREE = WIDTH - 2  # the last two dimensions take up the rest of the length
CONTEXT = 512
TOPIC_SHARE = 0.75  # length of the topic part; the lexical part has length 1
SEED = 5
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# Names of people and places would crowd out words; they are spelled from fragments.
NAMES = ("slot name", "slot surname", "slot city", "slot company", "slot street")
OFFICE = (HERE / "office_words.txt").read_text("utf-8").split()
SUFFIXES = (
    "s",
    "es",
    "ed",
    "d",
    "ing",
    "er",
    "ers",
    "ly",
    "ion",
    "ions",
    "ment",
    "al",
    "y",
    "ies",
    "able",
    "ness",
)
# Everyday words that the corpus may lack and that carry no topic.
COMMON = [
    "a",
    "about",
    "after",
    "again",
    "all",
    "also",
    "am",
    "an",
    "and",
    "any",
    "are",
    "as",
    "at",
    "be",
    "because",
    "been",
    "before",
    "but",
    "by",
    "can",
    "could",
    "did",
    "do",
    "does",
    "for",
    "from",
    "get",
    "had",
    "has",
    "have",
    "he",
    "her",
    "here",
    "his",
    "how",
    "i",
    "if",
    "in",
    "into",
    "is",
    "it",
    "its",
    "just",
    "may",
    "me",
    "more",
    "my",
    "no",
    "not",
    "now",
    "of",
    "off",
    "on",
    "one",
    "only",
    "or",
    "our",
    "out",
    "over",
    "please",
    "she",
    "should",
    "so",
    "some",
    "such",
    "than",
    "thanks",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "to",
    "too",
    "under",
    "up",
    "us",
    "very",
    "was",
    "we",
    "were",
    "what",
    "when",
    "where",
    "which",
    "while",
    "who",
    "why",
    "will",
    "with",
    "would",
    "you",
    "your",
]


def sentences(corpus: Corpus) -> list[str]:
    """Every line of the corpus, plus filled examples, lower case."""
    lines = [
        line
        for sections in corpus.files.values()
        for name, lines in sections.items()
        if name not in NAMES
        for line in lines
    ]
    rng = random.Random(SEED)
    filled = [corpus.fill(line, rng) for line in lines for _ in range(3)]
    # Filling brings the names back; the vocabulary counts only what is said about them.
    names = {
        word for name in NAMES for line in corpus.slots[name.removeprefix("slot ")] for word in line.split()
    }
    filled = [" ".join(w for w in line.split() if w not in names) for line in filled]
    return [line.lower() for line in filled]


def vocabulary(counts: Counter[str]) -> list[str]:
    """Stems first: an inflected form is left to its stem and a suffix piece, so that "refunds" matches "refund"."""
    words = {w for w in counts if counts[w] >= 3 and w.isalpha()}
    known = words | set(COMMON) | set(OFFICE)
    stems = [
        w
        for w in sorted(known)
        if not any(len(w) - len(s) > 2 and w.endswith(s) and w[: -len(s)] in known for s in SUFFIXES)
    ]
    letters = "abcdefghijklmnopqrstuvwxyz"
    signs = list("0123456789.,:;!?-#'\"()/&@%+*=_$€<>[]{}")
    trigrams = Counter(w[i : i + 3] for w in sorted(known) for i in range(len(w) - 2))
    bigrams = Counter(w[i : i + 2] for w in sorted(known) for i in range(len(w) - 1))
    parts = [p for p, n in trigrams.most_common(260) if n > 3] + [p for p, n in bigrams.most_common(220)]
    pieces = [*SPECIAL, *["▁" + w for w in stems], *["▁" + s for s in (*letters, *signs)]]
    pieces += ["▁" + p for p in parts] + [*SUFFIXES, *letters, *parts, *"0123456789"]
    return list(dict.fromkeys(pieces))


def split(text: str, known: set[str]) -> list[str]:
    """WordPiece, greedy longest match, as llama.cpp does it: "▁" marks the start of a word."""
    found = []
    for word in re.findall(r"[a-zà-ÿ0-9]+|[^\sa-zà-ÿ0-9]", text.lower()):
        rest = "▁" + word
        while rest:
            longest = next((end for end in range(len(rest), 0, -1) if rest[:end] in known), 0)
            if longest == 0:
                break
            found.append(rest[:longest])
            rest = rest[longest:]
    return found


def topic_directions(pieces: list[str], corpus: Corpus) -> np.ndarray:
    """Positive pointwise mutual information of pieces and lines, then SVD: (pieces, FREE), rows of length 0 or 1."""
    index = {piece: n for n, piece in enumerate(pieces)}
    known = set(pieces)
    documents = [
        " ".join(corpus.files[label][part]) for label in LABELS for part in ("sentences", "phrases")
    ] * 4
    documents += [
        m[1]
        for e in make(3000, seed=SEED)
        if e.task in ("classify", "summarise")
        for m in e.messages
        if m[0] == "user"
    ]
    documents += [line for line in sentences(corpus) if len(line) > 20]
    together = np.zeros((len(pieces), len(pieces)))
    for document in documents:
        here = {index[p] for p in split(document, known) if len(p) > 3}
        if len(here) > 1:
            ids = np.array(sorted(here))
            together[np.ix_(ids, ids)] += 1 / len(ids)
    total = together.sum()
    marginal = together.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pmi = np.log(together * total / np.outer(marginal, marginal))
    left, values, _ = np.linalg.svd(np.nan_to_num(np.maximum(pmi, 0), posinf=0.0))
    vectors = left[:, :FREE] * np.sqrt(values[:FREE])
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-9)


def vectors(pieces: list[str], counts: Counter[str], corpus: Corpus) -> np.ndarray:
    """Token embeddings (pieces, WIDTH), all of one length, mean zero."""
    rng = np.random.default_rng(SEED)
    lexical = rng.standard_normal((len(pieces), FREE))
    # A suffix or fragment means what the same fragment means at the start of a word.
    for n, piece in enumerate(pieces):
        if not piece.startswith("▁") and "▁" + piece in pieces:
            lexical[n] = lexical[pieces.index("▁" + piece)]
    lexical /= np.linalg.norm(lexical, axis=1, keepdims=True)
    mixed = lexical + TOPIC_SHARE * topic_directions(pieces, corpus)
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    total = sum(counts.values())
    weight = np.zeros(len(pieces))
    for n, piece in enumerate(pieces):
        word = piece.removeprefix("▁")
        if piece in SPECIAL or not any(c.isalnum() for c in word):
            weight[n] = 0.01
        elif word in COMMON:
            weight[n] = 0.06
        elif not piece.startswith("▁") or len(word) <= 3:
            # Fragments spell words outside the vocabulary, which are rare and therefore telling.
            weight[n] = 0.1 if word in SUFFIXES else 0.15 * len(word)
        else:
            weight[n] = min(1.0, 0.15 * math.log(total / (counts[word] + 1)))
    body = mixed * weight[:, None]
    body -= body.mean(axis=1, keepdims=True)
    rest = np.sqrt(np.maximum(1.1 - (body**2).sum(axis=1), 0) / 2)
    return np.concatenate([body, rest[:, None], -rest[:, None]], axis=1)


def main() -> None:
    corpus = Corpus()
    counts = Counter(word for line in sentences(corpus) for word in re.findall(r"[a-z0-9]+", line))
    pieces = vocabulary(counts)
    table = vectors(pieces, counts, corpus)

    path = SHIPPED / "headgate-embed.gguf"
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name("headgate-embed")
    writer.add_description("A lexical toy embedder for demos and tests of Headgate. See MODEL_CARD.md.")
    writer.add_license("mit")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(8)
    writer.add_head_count(1)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_vocab_size(len(pieces))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_token_type_count(1)
    writer.add_tokenizer_model("bert")
    writer.add_token_list(pieces)
    writer.add_token_types(
        [gguf.TokenType.CONTROL if p in SPECIAL else gguf.TokenType.NORMAL for p in pieces]
    )
    writer.add_token_scores([-1000.0] * len(pieces))
    for name, add_id in (
        ("pad", writer.add_pad_token_id),
        ("unk", writer.add_unk_token_id),
        ("cls", writer.add_bos_token_id),
        ("sep", writer.add_sep_token_id),
        ("mask", writer.add_mask_token_id),
    ):
        add_id(SPECIAL.index(f"[{name.upper()}]"))
    writer.add_eos_token_id(SPECIAL.index("[SEP]"))

    def add(name: str, matrix: np.ndarray) -> None:
        """As Q8_0 where the rows are long enough for its blocks of 32."""
        if matrix.shape[1] % 32 == 0:
            writer.add_tensor(name, gguf.quantize(matrix.astype(np.float32), EIGHT_BIT), raw_dtype=EIGHT_BIT)
        else:
            writer.add_tensor(name, matrix.astype(np.float16))

    def single(*shape: int, value: float = 0.0) -> np.ndarray:
        return np.full(shape, value, dtype=np.float32)

    add("token_embd.weight", table)
    add("position_embd.weight", np.zeros((CONTEXT, WIDTH)))
    writer.add_tensor("token_types.weight", single(1, WIDTH))
    writer.add_tensor("token_embd_norm.weight", single(WIDTH, value=1.0))
    writer.add_tensor("token_embd_norm.bias", single(WIDTH))
    for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
        add(f"blk.0.{part}.weight", np.zeros((WIDTH, WIDTH)))
        writer.add_tensor(f"blk.0.{part}.bias", single(WIDTH))
    writer.add_tensor("blk.0.attn_output_norm.weight", single(WIDTH, value=1.0))
    writer.add_tensor("blk.0.attn_output_norm.bias", single(WIDTH))
    add("blk.0.ffn_up.weight", np.zeros((8, WIDTH)))
    writer.add_tensor("blk.0.ffn_up.bias", single(8))
    add("blk.0.ffn_down.weight", np.zeros((WIDTH, 8)))
    writer.add_tensor("blk.0.ffn_down.bias", single(WIDTH))
    last = single(WIDTH, value=1.0)
    last[FREE:] = 0.0
    writer.add_tensor("blk.0.layer_output_norm.weight", last)
    writer.add_tensor("blk.0.layer_output_norm.bias", single(WIDTH))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{path}: {len(pieces)} pieces, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
