"""Files of people, as text with places: txt, md, rst, html, eml, mbox, pdf, docx, csv, jsonl, vtt, srt.

    read(path)              → Document … or Trouble, of one file
    walk([folder, file …])  → the same of many
    files(folder)           → what walk would read

What cannot be read is named with the reason, and never stops the rest. Reading loads the library that a format needs only
then; those that are not in the core install are the extra `headgate[documents]`.
"""

from headgate.core.blocks import Block
from headgate.documents.reading import read
from headgate.documents.types import Document, Trouble
from headgate.documents.walking import files, walk

__all__ = ["Block", "Document", "Trouble", "files", "read", "walk"]
