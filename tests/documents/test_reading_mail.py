"""Mails: what was written, what is quoted, what is attached; broken ones survive, and it is said what is lost."""

from email.message import EmailMessage

from document_files import documents, mail, troubles, write


def shown(document):
    return [(block.kind, block.text) for block in document.blocks]


def test_a_mail_has_its_subject_as_heading_and_its_headers_as_fields(tmp_path):
    path = write(
        tmp_path / "a.eml", mail("Where is my money?\n\nAnn\n", subject="Rückerstattung für Zoë").as_bytes()
    )
    (document,) = documents(path)
    assert document.title == "Rückerstattung für Zoë"
    assert document.fields == {
        "subject": "Rückerstattung für Zoë",
        "from": "Ann <ann@example.org>",
        "to": "support@example.org",
        "date": "Mon, 05 Jan 2026 10:00:00 +0000",
    }
    assert shown(document) == [
        ("heading", "Rückerstattung für Zoë"),
        ("text", "Where is my money?"),
        ("text", "Ann"),
    ]
    lines = path.read_text().split("\n")
    assert all(lines[block.line - 1] == block.text for block in document.blocks[1:])
    assert troubles(path) == []


def test_of_two_forms_the_plain_one_is_read_and_html_where_there_is_no_other(tmp_path):
    both = mail("The plain one.", html="<p>The <b>rich</b> one.</p>")
    assert shown(documents(write(tmp_path / "a.eml", both.as_bytes()))[0])[1:] == [("text", "The plain one.")]
    rich = mail("")
    rich.set_content("<h2>News</h2><p>Prices &amp; more</p><blockquote>old</blockquote>", subtype="html")
    assert shown(documents(write(tmp_path / "b.eml", rich.as_bytes()))[0])[1:] == [
        ("heading", "News"),
        ("text", "Prices & more"),
        ("quote", "old"),
    ]
    empty = mail("\n", html="<p>Only here.</p>")
    assert shown(documents(write(tmp_path / "c.eml", empty.as_bytes()))[0])[1:] == [("text", "Only here.")]


def test_quoted_older_mail_is_kept_apart(tmp_path):
    body = (
        "Yes, please.\n\nOn Mon, 5 Jan 2026 at 10:00, Support\n<help@example.org> wrote:\n\n> Shall we\n>\n> cancel it?\n\nThanks\n"
        "Ann\n\n-----Original Message-----\nFrom: Bob\nSent: Monday\n\nOldest words.\n"
    )
    (document,) = documents(write(tmp_path / "a.eml", mail(body).as_bytes()))
    assert shown(document)[1:] == [
        ("text", "Yes, please."),
        (
            "quote",
            "On Mon, 5 Jan 2026 at 10:00, Support\n<help@example.org> wrote:\n\n> Shall we\n>\n> cancel it?",
        ),
        ("text", "Thanks\nAnn"),
        ("quote", "-----Original Message-----\nFrom: Bob\nSent: Monday\n\nOldest words."),
    ]


def test_a_line_of_dashes_and_a_person_who_wrote_are_no_quotes(tmp_path):
    body = "She wrote:\n\nIt works.\n\n______________________\nAnn, Example Ltd\n"
    (document,) = documents(write(tmp_path / "a.eml", mail(body).as_bytes()))
    assert {kind for kind, _ in shown(document)[1:]} == {"text"}


def test_attachments_are_named_without_trouble(tmp_path):
    made = mail("See the files.")
    made.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Rechnung März.pdf")
    made.add_attachment("a,b", subtype="csv", filename="list.csv")
    made.add_attachment(mail("Older.", subject="Old one"))
    path = write(tmp_path / "a.eml", made.as_bytes())
    (document,) = documents(path)
    assert document.fields["attachments"] == "Rechnung März.pdf, list.csv, mail: Old one"
    assert document.blocks[-1].text == "See the files."
    assert troubles(path) == []


def test_a_mail_in_another_letter_set_than_it_says_is_read_and_said(tmp_path):
    data = b"Subject: Hi\nContent-Type: text/plain; charset=utf-8\n\nGr\xfc\xdfe\n"
    path = write(tmp_path / "a.eml", data)
    assert documents(path)[0].blocks[-1].text == "Grüße"
    (trouble,) = troubles(path)
    assert (
        trouble.message == "says it is written in utf-8 and is not; read as cp1252, so letters may be wrong"
    )
    assert not trouble.refused
    unknown = write(tmp_path / "b.eml", data.replace(b"utf-8", b"klingon"))
    assert documents(unknown)[0].blocks[-1].text == "Grüße"
    assert "klingon" in troubles(unknown)[0].message


def test_a_mail_without_the_boundary_that_it_names_is_read_as_one_text(tmp_path):
    for head in (b"multipart/mixed; boundary=xyz", b"multipart/mixed"):
        data = b"Subject: Broken\nMIME-Version: 1.0\nContent-Type: " + head + b"\n\nWhat was written.\n"
        path = write(tmp_path / "a.eml", data)
        assert "What was written." in documents(path)[0].text
        (trouble,) = troubles(path)
        assert "parts" in trouble.message
        assert not trouble.refused


def test_a_mail_that_breaks_off_keeps_what_came(tmp_path):
    made = mail("The plain one.", html="<p>The rich one.</p>")
    data = made.as_bytes()
    path = write(tmp_path / "a.eml", data[: data.index(b"The rich")])
    assert "The plain one." in documents(path)[0].text
    assert "breaks off" in troubles(path)[0].message


def test_broken_base64_keeps_what_can_be_decoded(tmp_path):
    data = b"Subject: Hi\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nSGVsbG8gdGhlcm\n"
    path = write(tmp_path / "a.eml", data)
    assert documents(path)[0].blocks[-1].text.startswith("Hello ther")
    assert "encoded part is cut" in troubles(path)[0].message


def test_headers_that_are_none_do_not_stop_a_mail(tmp_path):
    data = b"Subject: =?utf-8?b?!!!?=\nFrom: <<>>;;@\nDate: yesterday\nTo: \xff\xfe\n\nStill here.\n"
    (document,) = documents(write(tmp_path / "a.eml", data))
    assert document.blocks[-1].text == "Still here."
    assert document.fields["date"] == "yesterday"


def test_an_encoded_part_has_the_lines_of_its_whole(tmp_path):
    made = EmailMessage()
    made["Subject"] = "Hi"
    made.set_content("Größe\n" * 3, cte="base64")
    path = write(tmp_path / "a.eml", made.as_bytes())
    block = documents(path)[0].blocks[-1]
    assert path.read_text().split("\n")[block.line - 1].startswith("R3LDt")


def test_an_mbox_is_many_mails_each_with_its_line(tmp_path):
    head = "From ann@example.org Mon Jan  5 10:00:00 2026\n"
    first = head + "Subject: One\n\nRead this:\nFrom ann@example.org in 2026\n>From the start.\n\n"
    second = head + "Subject: Two\nContent-Type: text/plain; charset=utf-8\n\nSecond.\n"
    path = write(tmp_path / "a.mbox", first + second)
    found = documents(path)
    assert [(document.source, document.title) for document in found] == [
        (f"{path}#1", "One"),
        (f"{path}#2", "Two"),
    ]
    assert found[0].blocks[1].text == "Read this:\nFrom ann@example.org in 2026\nFrom the start."
    lines = path.read_text().split("\n")
    assert lines[found[1].blocks[0].line - 1] == "Subject: Two"
    assert lines[found[1].blocks[1].line - 1] == "Second."


def test_one_broken_mail_does_not_stop_an_mbox(tmp_path):
    head = b"From ann@example.org Mon Jan  5 10:00:00 2026\n"
    mails = [
        b"Subject: One\n\nFine.\n\n",
        b"\n",
        b"Subject: Three\nContent-Type: text/plain; charset=utf-8\n\nGr\xfc\xdfe\n\n",
    ]
    path = write(tmp_path / "a.mbox", b"".join(head + data for data in mails))
    assert [document.title for document in documents(path)] == ["One", "Three"]
    assert [(trouble.source, trouble.line) for trouble in troubles(path)] == [
        (f"{path}#2", 7),
        (f"{path}#3", 9),
    ]


def test_a_file_that_is_no_mbox_is_named(tmp_path):
    (trouble,) = troubles(write(tmp_path / "a.mbox", "Dear all,\nno mail.\n"))
    assert "no mail begins in it" in trouble.message
