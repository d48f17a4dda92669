"""The pages of statements, as text and over a real socket."""

import json
from html.parser import HTMLParser

import pytest

import theory
from experiments.commands import explain
from experiments.explorer import guard, presets, statements
from experiments.explorer.worker import Worker
from tests.experiments.explorer.serving import served


class Read(HTMLParser):
    """The text of a page, its tags, and whether they are closed in order."""

    def __init__(self, page: str):
        super().__init__()
        self.text, self.tags, self.open = "", set(), []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert not any(name.startswith("on") or name == "style" for name, _ in attrs)
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("id", theory.STATEMENTS)
def test_a_page_says_what_explain_says(id):
    page = Read(statements.page(id))
    text, about = flat(page.text), explain.described(id)
    assert "script" not in page.tags
    for name in ("title", "words", "formula", "hypotheses", "source", "text"):
        assert flat(about[name]) in text
    for claim in about["claims"]:
        assert f"{claim['id']}, {claim['status']}" in text
        assert flat(claim["words"]) in text and flat(claim["formula"]) in text
    for finding in about["findings"]:
        assert flat(finding["reported"]) in text and finding["verdict"] in text


def test_what_looks_like_a_tag_is_shown(monkeypatch):
    hostile = explain.described("A2") | {"words": "<script>alert(1)</script> & <b>"}
    monkeypatch.setattr(explain, "described", lambda id: hostile)
    statements.page.cache_clear()
    page = Read(statements.page("A2"))
    statements.page.cache_clear()
    assert "<script>alert(1)</script> & <b>" in page.text
    assert not {"script", "b"} & page.tags


def test_they_are_served_and_others_are_not_found():
    with served(Worker({})) as site:
        reply = site.send("GET", "/statements/A3")
        assert reply.status == 200 and reply.body.decode() == statements.page("A3")
        assert reply.headers["content-type"] == "text/html; charset=utf-8"
        for key, text in guard.HEADERS.items():
            assert reply.headers[key] == text
        for path in ("Z9", "", "..%2fserver.py", "A3/x", "<script>"):
            assert site.send("GET", f"/statements/{path}").status == 404
        listed = site.send("GET", "/api/presets")
        assert listed.json == json.loads(json.dumps(presets.listed()))
