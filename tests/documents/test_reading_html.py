"""Pages as a reader sees them."""

import pytest

from document_files import documents, troubles, write

PAGE = """<!DOCTYPE html>
<html><head><title>The &quot;terms&quot;</title><style>p { color: red }</style>
<script>document.write("<p>never</p>")</script></head>
<body><nav><ul><li>Home</ul></nav><div role="navigation"><div>More</div> menu</div>
<h1>Terms<a href="#x">¶</a></h1>
<p>Refunds take <b>five</b> days,
caf&eacute; &lt;included&gt;.</p>
<ul><li>by card<li>by transfer<ol start=3><li>wire<li>cheque</ol></ul>
<table><caption>Plans</caption><tr><th>plan<th>price</tr><tr><td>small</td><td><p>5</p><p>€</p></td></tr></table>
<pre>if x:
    y()</pre>
<blockquote><p>Said the boss.</p></blockquote>
Loose<br>ends <img alt="a chart" src=x>
</body></html>
"""


def test_a_page_is_headings_paragraphs_lists_tables_and_code(tmp_path):
    (document,) = documents(write(tmp_path / "a.html", PAGE))
    assert document.title == 'The "terms"'
    assert [(block.kind, block.text) for block in document.blocks] == [
        ("heading", "Terms"),
        ("text", "Refunds take five days, café <included>."),
        ("text", "- by card\n- by transfer\n  3. wire\n  4. cheque"),
        ("text", "Plans"),
        ("table", "plan | price\nsmall | 5 €"),
        ("code", "if x:\n    y()"),
        ("quote", "Said the boss."),
        ("text", "Loose\nends a chart"),
    ]
    assert [(block.line, block.last_line) for block in document.blocks][:2] == [(5, 5), (6, 7)]


def test_items_and_lines_of_code_that_are_wrapped_in_elements_stay_together(tmp_path):
    page = "<ol>\n<li>\n <p>One</p>\n</li>\n<li><div>Two</div><p>more</p></li></ol><pre><div>a = 1</div><div>b = 2</div></pre>"
    (document,) = documents(write(tmp_path / "a.html", page))
    assert [(block.kind, block.text) for block in document.blocks] == [
        ("text", "1. One\n2. Two\nmore"),
        ("code", "a = 1\nb = 2"),
    ]


def test_scripts_styles_and_menus_are_not_seen(tmp_path):
    (document,) = documents(write(tmp_path / "a.htm", PAGE))
    for unseen in ("never", "color", "Home", "menu"):
        assert unseen not in document.text


def test_a_menu_that_is_never_closed_is_read(tmp_path):
    (document,) = documents(write(tmp_path / "a.html", "<nav>Menu<h1>Title</h1><p>Words."))
    assert "Words." in document.text


def test_a_script_that_is_never_closed_is_said(tmp_path):
    path = write(tmp_path / "a.html", "<p>Seen.\n<script>var x = 1;<p>Lost.")
    assert documents(path)[0].text == "Seen."
    (trouble,) = troubles(path)
    assert (trouble.message, trouble.line) == ("its <script> is never closed: what follows is not seen", 2)
    assert not trouble.refused


@pytest.mark.parametrize(
    "broken",
    [
        "<p>One<p>Two</div></p>",
        "<td>One<tr><td>Two",
        "<table><tr><td>One<table><tr><td>Two",
        "<li>One<h2>Two",
        "One<Two",
        "<p a='One>Two</p><p>One Two",
    ],
)
def test_broken_pages_lose_nothing_but_their_form(tmp_path, broken):
    (document,) = documents(write(tmp_path / "a.html", broken))
    assert "One" in document.text
    assert "Two" in document.text


def test_a_page_is_written_as_it_says(tmp_path):
    data = '<meta charset="iso-8859-2"><p>Łódź'.encode("iso-8859-2")
    path = write(tmp_path / "a.html", data)
    assert documents(path)[0].text == "Łódź"
    assert troubles(path) == []
