"""Files of people, made for tests: PDFs with text, pictures or a password, and what reading gives, sorted."""

from email.message import EmailMessage
from io import BytesIO
from pathlib import Path

from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject, NumberObject

from headgate.documents import Document, Trouble, read

FONT = DictionaryObject(
    {
        NameObject("/Type"): NameObject("/Font"),
        NameObject("/Subtype"): NameObject("/Type1"),
        NameObject("/BaseFont"): NameObject("/Helvetica"),
    }
)


def documents(path: Path, **given) -> list[Document]:
    return [found for found in read(path, **given) if isinstance(found, Document)]


def troubles(path: Path, **given) -> list[Trouble]:
    return [found for found in read(path, **given) if isinstance(found, Trouble)]


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def pdf(*pages: str | None, outline: dict[str, int] | None = None) -> PdfWriter:
    """A PDF of pages of text, a line each; None is a page that only holds a picture."""
    writer = PdfWriter()
    for text in pages:
        page = writer.add_blank_page(612, 792)
        resources = DictionaryObject({NameObject("/Font"): DictionaryObject({NameObject("/F1"): FONT})})
        stream = DecodedStreamObject()
        if text is None:
            picture = DecodedStreamObject()
            picture.set_data(bytes(64 * 3))
            picture.update(
                {
                    NameObject("/Type"): NameObject("/XObject"),
                    NameObject("/Subtype"): NameObject("/Image"),
                    NameObject("/Width"): NumberObject(8),
                    NameObject("/Height"): NumberObject(8),
                    NameObject("/ColorSpace"): NameObject("/DeviceRGB"),
                    NameObject("/BitsPerComponent"): NumberObject(8),
                }
            )
            resources[NameObject("/XObject")] = DictionaryObject(
                {NameObject("/I"): writer._add_object(picture)}
            )
            stream.set_data(b"q 500 0 0 700 50 50 cm /I Do Q")
        else:
            shown = "".join(f"({line}) Tj T* " for line in text.split("\n"))
            stream.set_data(f"BT /F1 12 Tf 14 TL 72 720 Td {shown}ET".encode("latin-1"))
        page[NameObject("/Resources")] = resources
        page[NameObject("/Contents")] = writer._add_object(stream)
        page[NameObject("/MediaBox")] = ArrayObject(
            [NumberObject(0), NumberObject(0), NumberObject(612), NumberObject(792)]
        )
    for title, number in (outline or {}).items():
        writer.add_outline_item(title=title, page_number=number - 1)
    return writer


def as_bytes(writer: PdfWriter) -> bytes:
    buffer = BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def mail(
    body: str, *, subject: str = "Refund", sender: str = "Ann <ann@example.org>", html: str = ""
) -> EmailMessage:
    made = EmailMessage()
    made["Subject"], made["From"], made["To"] = subject, sender, "support@example.org"
    made["Date"] = "Mon, 05 Jan 2026 10:00:00 +0000"
    made.set_content(body)
    if html:
        made.add_alternative(html, subtype="html")
    return made
