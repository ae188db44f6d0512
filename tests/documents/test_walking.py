"""Folders: everything in a stable order, and one bad file never stops the rest."""

from document_files import as_bytes, mail, pdf, write
from headgate.documents import Document, Trouble, files, walk


def sources(found, kind=Document):
    return [item.source for item in found if isinstance(item, kind)]


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    for name in ("b.txt", "a/z.md", "a/b.txt", "c.eml", "README"):
        write(tmp_path / name, mail("x").as_bytes() if name.endswith("eml") else "words")
    expected = [str(tmp_path / name) for name in ("README", "a/b.txt", "a/z.md", "b.txt", "c.eml")]
    assert sources(walk([tmp_path])) == expected
    assert [str(path) for path in files(tmp_path)] == expected
    assert sources(walk([tmp_path / "b.txt", tmp_path / "a"])) == [
        str(tmp_path / name) for name in ("b.txt", "a/b.txt", "a/z.md")
    ]


def test_what_is_hidden_is_left_out(tmp_path):
    for name in (".git/config.txt", ".hidden.txt", "seen.txt"):
        write(tmp_path / name, "words")
    assert list(map(type, walk([tmp_path]))) == [Document]


def test_a_loop_of_links_is_named_once_and_the_rest_goes_on(tmp_path):
    write(tmp_path / "a/one.txt", "words")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "nowhere.txt").symlink_to(tmp_path / "missing")
    write(tmp_path / "z.txt", "words")
    found = list(walk([tmp_path]))
    assert sources(found) == [str(tmp_path / "a/one.txt"), str(tmp_path / "z.txt")]
    assert {
        item.source.removeprefix(str(tmp_path)): item.message for item in found if isinstance(item, Trouble)
    } == {
        "/a/again": f"a link back to {tmp_path}, in which it lies; not followed",
        "/itself": "a link that leads to itself",
        "/nowhere.txt": "a link to nothing",
    }


def test_two_folders_that_link_to_each_other_end(tmp_path):
    write(tmp_path / "a/one.txt", "words")
    write(tmp_path / "b/two.txt", "words")
    (tmp_path / "a" / "b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "a").symlink_to(tmp_path / "a")
    found = list(walk([tmp_path]))
    assert len(sources(found)) == 4
    assert len(sources(found, Trouble)) == 2


def test_a_link_to_a_file_elsewhere_is_followed(tmp_path):
    write(tmp_path / "elsewhere/one.txt", "words")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "one.txt").symlink_to(tmp_path / "elsewhere/one.txt")
    assert sources(walk([tmp_path / "here"])) == [str(tmp_path / "here/one.txt")]


def test_kinds_that_are_not_read_are_counted(tmp_path):
    for name in ("a.png", "b.PNG", "c.zip", "d.txt"):
        write(tmp_path / name, "words")
    document, trouble = walk([tmp_path])
    assert document.source.endswith("d.txt")
    assert (trouble.source, trouble.message) == (
        str(tmp_path),
        "3 files of kinds that are not read: 2 .png, 1 .zip",
    )


def test_one_bad_file_never_stops_the_rest(tmp_path):
    encrypted = pdf("Secret.")
    encrypted.encrypt("word", algorithm="AES-256")
    bad = {
        "a.pdf": as_bytes(encrypted),
        "b.pdf": as_bytes(pdf(None)),
        "c.docx": b"PK\x03\x04broken",
        "d.eml": b"\n",
        "e.csv": b"a,b\n1\n",
        "f.txt": b"\x00\x00\x00\x00\x00",
        "g.md": b"",
        "h.jsonl": b"{\n",
        "i.vtt": b"WEBVTT\n",
    }
    for name, data in bad.items():
        write(tmp_path / name, data)
    write(tmp_path / "z.txt", "the end")
    found = list(walk([tmp_path]))
    assert sources(found) == [str(tmp_path / "z.txt")]
    assert sources(found, Trouble) == [str(tmp_path / name) for name in bad]
    assert all(item.refused for item in found if isinstance(item, Trouble))
