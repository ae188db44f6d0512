"""Files of people, as text with places: txt, md, html, eml, mbox, pdf, docx, csv, vtt, srt.

    read(path) → Document … or Trouble

What cannot be read is named with the reason, and never stops the rest. Reading loads the library that a format needs only
then; those that are not in the core install are the extra `headgate[documents]`.
"""

from headgate.documents.types import Block, Document, Trouble

__all__ = ["Block", "Document", "Trouble"]
