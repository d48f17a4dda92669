"""The page of a statement: what `pattern-selection explain ID` says, as HTML.

All text is escaped; there is no script, and the style is that of the explorer.
"""

import functools
from collections.abc import Iterator
from html import escape
from typing import Any

import theory
from experiments.commands import explain

HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="/style.css">
</head>
<body class="statement">
<article>
"""
FOOT = '<p><a href="/">The explorer</a></p>\n</article>\n</body>\n</html>\n'


@functools.cache
def page(id: str) -> str | None:
    """The page of a statement; None if there is none of this id."""
    if id not in theory.STATEMENTS:
        return None
    about = explain.described(id)
    title = escape(f"{id}. {about['title']}")
    return HEAD.format(title=title) + "\n".join(_parts(about, title)) + "\n" + FOOT


def _parts(about: dict[str, Any], title: str) -> Iterator[str]:
    yield f"<h1>{title}</h1>"
    yield _paragraph(about["words"])
    yield _exactly(about["formula"])
    yield _entry("Hypotheses", about["hypotheses"])
    yield _entry("Source", about["source"])
    if about["findings"]:
        yield "<h2>The paper, and what we find</h2>"
        yield _paragraph(f"{explain.PAPER}:")
    for finding in about["findings"]:
        yield _entry("Reported", finding["reported"])
        yield _entry("We find", finding["found"])
        evidence = ", ".join(finding["evidence"])
        yield _entry("Status", f"{finding['verdict']} ({evidence})")
    yield "<h2>Claims</h2>"
    for claim in about["claims"]:
        yield f'<h3 id="{escape(claim["id"])}">'
        yield escape(f"{claim['id']}, {claim['status']}") + "</h3>"
        yield _paragraph(claim["words"])
        yield _exactly(claim["formula"])
    yield "<h2>Proof</h2>"
    yield _paragraph(f"From {about['module']}; checked by verify {about['id']}.")
    yield _exactly(about["text"])


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _exactly(text: str) -> str:
    return f"<pre>{escape(text.strip())}</pre>"


def _entry(name: str, text: str) -> str:
    return f"<p><strong>{escape(name)}</strong>: {escape(text)}</p>"
