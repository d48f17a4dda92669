"""Processes that meet, or miss each other, on loopback."""

import contextlib
import socket
import time
from concurrent import futures

import pytest

from experiments.sweeps import rendezvous
from experiments.sweeps.rendezvous import Meeting
from experiments.text.errors import UserError


@pytest.fixture
def address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(rendezvous, "PATIENCE", 1.0)
    monkeypatch.setattr(rendezvous, "BETWEEN", 0.01)


def attempt(address, count, index):
    """Meet and part; what is said if that fails."""
    try:
        meeting = Meeting(address, count, index)
    except UserError as error:
        return str(error)
    time.sleep(0.2)  # all are told to begin before the first one ends
    meeting.over()
    return meeting.lines


def together(address, *calls):
    """`attempt` of each `(count, index)`, all at once."""
    with futures.ThreadPoolExecutor() as pool:
        ends = [pool.submit(attempt, address, *call) for call in calls]
        ends = [end.result() for end in ends]
    for lines in ends:
        if not isinstance(lines, str):
            for line in lines.values():
                line.close()
    return ends


def dial(host, address):
    """A connection to the port of `address` as soon as somebody listens there."""
    for _ in range(500):
        with contextlib.suppress(OSError):
            return socket.create_connection((host, int(address.split(":")[1])))
        time.sleep(0.01)
    raise TimeoutError


def test_all_meet_and_part(address):
    first, *others = together(address, (3, 0), (3, 2), (3, 1))
    assert sorted(first) == [1, 2]
    assert [sorted(lines) for lines in others] == [[0], [0]]


def test_the_first_waits_for_a_while_and_tells_the_others_who_is_missing(
    address, hasty
):
    start = time.monotonic()
    ends = together(address, (4, 0), (4, 2))
    assert time.monotonic() - start < 3
    for said in ends:
        assert said == (
            f"--coordinator {address}: --process 1, 3 did not come to 127.0.0.1; start "
            "all 4 within 1 s of each other."
        )


def test_the_others_wait_for_a_while_for_the_first(address, hasty):
    (said,) = together(address, (2, 1))
    assert said.startswith(
        f"--coordinator {address}: --process 0 cannot be reached (Connection refused)"
    )


def test_the_first_listens_where_it_was_told_only(address, hasty):
    with futures.ThreadPoolExecutor() as pool:
        first = pool.submit(attempt, address, 2, 0)
        dial("127.0.0.1", address).close()
        port = int(address.split(":")[1])
        with socket.socket() as other:
            assert other.connect_ex(("127.0.0.2", port)) != 0
        assert "--process 1 did not come" in first.result()


def test_others_who_speak_or_leave_before_all_are_there_do_not_count(address):
    with futures.ThreadPoolExecutor() as pool:
        first = pool.submit(together, address, (3, 0))
        with dial("127.0.0.1", address) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with dial("127.0.0.1", address) as leaver:
            leaver.sendall(b"pattern-selection 2 of 3\n")
        others = together(address, (3, 1), (3, 2))
        assert [sorted(lines) for lines in others] == [[0], [0]]
        assert sorted(first.result()[0]) == [1, 2]


@pytest.mark.parametrize(
    "calls, said",
    [
        ([(2, 0), (3, 1)], "--process 0 was given --processes 2"),
        ([(3, 0), (3, 1), (3, 1)], "another --process 1 is there already"),
        ([(2, 0), (2, 0)], "cannot listen there (Address already in use)"),
    ],
)
def test_numbers_that_disagree_are_told(address, hasty, calls, said):
    assert any(said in end for end in together(address, *calls))


def test_an_address_of_another_machine_is_refused(hasty):
    (said,) = together("192.0.2.1:7000", (2, 0))
    assert "cannot listen there" in said and "of the machine of --process 0" in said
