"""The shipped vocabularies are the originals, and what token ids spell is what was encoded."""

import hashlib
from base64 import b64encode

import pytest
import tiktoken

from headgate.engines.tokenizer import PARTS, Tokenizer, read_vocabulary, spell

SHA256 = {
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}
CL100K_PARTS = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
LANGUAGES = (
    "The invoice was charged twice; please refund $12.50.",
    "Die Rechnung wurde zweimal abgebucht – bitte erstatten Sie 12,50 €.",
    "La facture a été débitée deux fois, remboursez-moi s'il vous plaît.",
    "La factura se cobró dos veces. ¿Pueden devolvérmelo?",
    "Счёт был списан дважды, верните деньги.",
    "请求退款:发票被重复扣款了。",
    "請求が二重に引き落とされました。返金してください。",
    "تم خصم الفاتورة مرتين، يرجى رد المبلغ.",
    "बिल दो बार काटा गया, कृपया पैसे लौटाएँ।",
    "def add(a, b):\n\treturn a + b  # 🧮\r\n\r\n",
    "👩‍👩‍👧 Z̷a̸l̵g̶o̵ \u200b\x00\x7f",
)


def encoding(name: str) -> tiktoken.Encoding:
    """Tiktoken's own encoder, with the shipped ranks."""
    ranks = {token: rank for rank, token in enumerate(read_vocabulary(name))}
    pattern = CL100K_PARTS if name == "cl100k_base" else "|".join(PARTS)
    return tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


@pytest.mark.parametrize("name", SHA256)
def test_the_originals_can_be_rebuilt_byte_for_byte(name):
    lines = (b"%b %d\n" % (b64encode(token), rank) for rank, token in enumerate(read_vocabulary(name)))
    assert hashlib.sha256(b"".join(lines)).hexdigest() == SHA256[name]


@pytest.mark.parametrize("name", SHA256)
def test_what_is_encoded_is_spelled_again(name):
    encoder, vocabulary = encoding(name), read_vocabulary(name)
    ids = [encoder.encode_ordinary(text) for text in LANGUAGES]
    assert spell(ids, vocabulary) == LANGUAGES
    assert all(len(one) < len(text.encode()) for one, text in zip(ids, LANGUAGES, strict=True))


async def test_ids_are_those_of_cl100k_base():
    # Figures of cl100k_base, from OpenAI's own tokenizer.
    assert await Tokenizer().spell([[15339, 1917], [9906, 11, 1917, 0]]) == ("hello world", "Hello, world!")


async def test_a_letter_cut_apart_is_marked_and_does_not_fail():
    ids = encoding("cl100k_base").encode_ordinary("👩‍🚀")
    assert await Tokenizer().spell([ids[:1]]) == ("\ufffd",)


@pytest.mark.parametrize("wrong", [100_256, 100_257, 10**12])
async def test_the_first_id_that_there_is_not_is_named(wrong):
    assert await Tokenizer().spell([[15339], [1, wrong, 2]]) == wrong


async def test_the_vocabulary_is_read_once_and_only_when_ids_come():
    tokenizer = Tokenizer()
    assert tokenizer.spelling is None
    await tokenizer.spell([[1]])
    first = tokenizer.spelling
    await tokenizer.spell([[2]])
    assert tokenizer.spelling is first
