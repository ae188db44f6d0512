"""Transcripts: who said what and when, in paragraphs that one can read."""

from document_files import documents, troubles, write

VTT = """\
WEBVTT - Weekly

STYLE
::cue { color: red }

NOTE made by a program

1
00:00:01.000 --> 00:00:04.000 align:start
<v Ann Lee>We should ship
on <i>Friday</i>.

00:00:04.500 --> 00:00:06.000
<v Ann Lee>All of it.</v>

3
00:01:05.500 --> 00:01:08.000
<v.loud Bob>R&amp;D agrees. <v Ann Lee>Good.

01:02.000 --> 01:03.000
"""


def paragraphs(document):
    return [(block.text, block.line, block.last_line) for block in document.blocks]


def test_captions_of_one_speaker_are_a_paragraph_with_its_time_and_lines(tmp_path):
    path = write(tmp_path / "a.vtt", VTT)
    (document,) = documents(path)
    assert paragraphs(document) == [
        ("[00:00:01] Ann Lee: We should ship on Friday. All of it.", 10, 14),
        ("[00:01:05] Bob: R&D agrees.", 18, 18),
        ("[00:01:05] Ann Lee: Good.", 18, 18),
    ]
    assert document.fields == {"speakers": "Ann Lee, Bob"}
    assert troubles(path) == []


def test_subrip_is_read_with_names_as_they_are_typed(tmp_path):
    text = (
        "1\r\n00:00:01,000 --> 00:00:03,000\r\n{\\an8}Ann: We ship\r\n\r\n2\r\n00:00:03,000 --> 00:00:04,000\r\non Friday: done.\r\n"
        "3\r\n00:00:04,500 --> 00:00:06,000\r\n- Dr. Bob O'Neil: Fine.\r\n"
    )
    (document,) = documents(write(tmp_path / "a.srt", text))
    assert [text for text, _, _ in paragraphs(document)] == [
        "[00:00:01] Ann: We ship on Friday: done.",
        "[00:00:04] Dr. Bob O'Neil: Fine.",
    ]


def test_a_pause_ends_a_paragraph_and_so_does_length(tmp_path):
    said = "".join(
        f"\n00:{at // 60:02}:{at % 60:02}.000 --> 00:{at // 60:02}:{at % 60:02}.900\nThis is sentence {at} of many.\n"
        for at in range(60)
    )
    (document,) = documents(
        write(tmp_path / "a.vtt", f"WEBVTT\n{said}\n00:05:00.000 --> 00:05:01.000\nLater.\n")
    )
    texts = [text for text, _, _ in paragraphs(document)]
    assert len(texts) == 4
    assert all(len(text) < 700 and text.endswith(".") for text in texts)
    assert texts[-1] == "[00:05:00] Later."


def test_captions_that_roll_are_said_once(tmp_path):
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\nWe should\n\n00:02.000 --> 00:03.000\nWe should\nship it.\n"
    (document,) = documents(write(tmp_path / "a.vtt", text))
    assert document.text == "[00:00:01] We should ship it."


def test_a_caption_whose_times_are_broken_is_named_with_its_line(tmp_path):
    path = write(
        tmp_path / "a.vtt",
        "WEBVTT\n\n00:01.000 -> 00:02.000\n\n00:xx --> 00:03.000\nlost\n\n00:04.000 --> 00:05.000\nKept.\n",
    )
    assert documents(path)[0].text == "[00:00:04] Kept."
    (trouble,) = troubles(path)
    assert (trouble.line, trouble.refused) == (5, False)
