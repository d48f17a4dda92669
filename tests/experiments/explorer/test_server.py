"""Who may ask, what is refused and how, over a real socket."""

import json
import math
import socket
import threading
import time

import pytest

from experiments.explorer import guard, server
from experiments.explorer.worker import Kind, Worker
from experiments.text.errors import UserError
from tests.experiments.explorer.serving import served


def doubled(question):
    if not isinstance(question.get("x"), int):
        raise UserError("x: give\na whole number.")
    return {"twice": 2 * question["x"], "edge": [math.inf, math.nan, 1.5]}


def broken(question):
    raise RuntimeError("of the\nprogram")


@pytest.fixture(scope="module")
def site():
    with served(Worker({"double": Kind(doubled), "break": Kind(broken)})) as site:
        yield site


def test_the_page_and_an_answer(site):
    page = site.send("GET", "/")
    assert page.status == 200 and b"<!doctype html>" in page.body
    assert page.body == site.send("GET", "/index.html").body
    reply = site.ask("double", {"x": 4})
    assert reply.json == {"twice": 8, "edge": [None, None, 1.5]}
    assert b"NaN" not in reply.body


def test_every_file_of_the_page_is_served_with_its_type_and_may_do_nothing_else(site):
    files = [path for path in server.PAGE.iterdir() if path.suffix in server.TYPES]
    assert files
    for path in files:
        reply = site.send("GET", f"/{path.name}")
        assert reply.status == 200 and reply.body == path.read_bytes()
        assert reply.headers["content-type"] == server.TYPES[path.suffix]
        for key, text in guard.HEADERS.items():
            assert reply.headers[key] == text
        assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize("path", ["/", "/api/ready"])
@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},  # DNS rebinding
        {"host": "evil.example:{port}"},
        {"host": "127.0.0.1"},
        {"host": "127.0.0.1:{port}0"},
        {"host": "127.0.0.1.evil.example:{port}"},
        {"host": "[::1]:{port}"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "https://127.0.0.1:{port}"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_other_hosts_and_other_pages_are_refused(site, path, headers):
    given = {key: text.format(port=site.port) for key, text in headers.items()}
    reply = site.send("GET", path, **given)
    assert (reply.status, reply.body) == (403, b"refused")
    assert reply.headers["content-security-policy"] == guard.POLICY
    reply = site.ask("double", {"x": 1}, **given)
    assert (reply.status, reply.body) == (403, b"refused")


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "localhost:{port}"},
        {"origin": "http://127.0.0.1:{port}"},
        {"origin": "http://localhost:{port}", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
    ],
)
def test_its_own_page_is_not(site, headers):
    given = {key: text.format(port=site.port) for key, text in headers.items()}
    assert site.send("GET", "/", **given).status == 200
    assert site.ask("double", {"x": 1}, **given).json["twice"] == 2


@pytest.mark.parametrize(
    "lines", ["HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nhost: evil", "HTTP/1.0"]
)
def test_two_hosts_or_none_are_refused(site, lines):
    request = f"GET / {lines.format(port=site.port)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", site.port)) as raw:
        raw.sendall(request.encode())
        status = raw.recv(100).split()[1]
    assert status in (b"400", b"403")


def test_a_web_socket_is_refused(site):
    reply = site.send(
        "GET",
        "/",
        connection="Upgrade",
        upgrade="websocket",
        sec_websocket_version="13",
        sec_websocket_key="AAAAAAAAAAAAAAAAAAAAAA==",
        origin="http://evil.example",
    )
    assert reply.status == 403


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; x", ""],
)
def test_forms_of_other_pages_are_no_questions(site, kind):
    reply = site.ask("double", {"x": 1}, content_type=kind)
    assert reply.status == 400
    assert reply.json == {"error": "send application/json."}
    # Without preflight a page may send no other type; and that is not granted.
    assert site.send("OPTIONS", "/api/double").status == 405


@pytest.mark.parametrize(
    "body, error",
    [
        (b"", "what was sent is no JSON."),
        (b"{", "what was sent is no JSON."),
        (b'{"x": NaN}', "what was sent is no JSON."),
        (b'{"x": Infinity}', "what was sent is no JSON."),
        (b'{"x": ' + b"1" * 10_000 + b"}", "what was sent is no JSON."),
        (b"[" * 9_000, "what was sent is no JSON."),
        (b"\xff\xfe", "what was sent is no JSON."),
        (b"[1]", "send one JSON object."),
        (b'{"x": "4"}', "x: give a whole number."),
        (b" " * 50_000, "a question has at most 20000 bytes."),
    ],
)
def test_what_is_no_question_is_told_in_one_line(site, body, error):
    reply = site.send("POST", "/api/double", body, content_type="application/json")
    assert (reply.status, reply.json) == (400, {"error": error})


def test_a_long_question_in_parts_is_refused_before_it_ends(site):
    head = (
        f"POST /api/double HTTP/1.1\r\nhost: 127.0.0.1:{site.port}\r\n"
        "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as raw:
        raw.sendall(head.encode())
        for _ in range(3):
            raw.sendall(b"2000\r\n" + b" " * 0x2000 + b"\r\n")
        assert b" 400 " in raw.recv(100)  # the last part never came


def test_a_fault_of_the_program_is_one_line_too(site, capfd):
    reply = site.ask("break", {})
    line = "break: RuntimeError: of the program"
    assert (reply.status, reply.json) == (500, {"error": line})
    assert capfd.readouterr().err == f"error: {line}\n"


@pytest.mark.parametrize(
    "path",
    [
        *("/../server.py", "/%2e%2e/server.py", "/server.py", "/page/index.html"),
        *("//etc/passwd", "/api/", "/api/other", "/index.html/", "/app.js%00"),
    ],
)
def test_there_is_no_other_file(site, path):
    assert site.send("GET", path).status == 404


def test_questions_are_posted_and_pages_got(site):
    assert site.send("GET", "/api/double").status == 405
    assert site.send("POST", "/", b"{}").status == 405
    assert site.send("DELETE", "/api/double").status == 405


def test_only_the_newest_question_of_a_page_and_kind_is_answered():
    begun, go, seen = threading.Event(), threading.Event(), []

    def slow(question):
        begun.set()
        seen.append(question["x"])
        go.wait(20)
        return question["x"]

    replies = {}
    worker = Worker({"slow": Kind(slow), "quick": Kind(doubled, quick=True)})
    with served(worker) as site:

        def ask(x, page):
            replies[x] = site.ask("slow", {"x": x, "page": page})

        threads = []
        for x, page in ((1, "a"), (2, "a"), (3, "b"), (4, "a")):
            threads.append(threading.Thread(target=ask, args=(x, page)))
            threads[-1].start()
            begun.wait(20)
            while worker.asked < x:
                time.sleep(0.01)
        # Meanwhile others are answered.
        assert site.ask("quick", {"x": 5}).json["twice"] == 10
        go.set()
        for thread in threads:
            thread.join()
    assert {x: reply.status for x, reply in replies.items()} == {
        1: 200,  # had begun
        2: 409,  # the page had asked again
        3: 200,  # of another page
        4: 200,
    }
    assert json.loads(replies[2].body) == {"error": "a newer question came."}
    assert seen == [1, 3, 4]
