"""Warm-up, and what becomes of it."""

import threading

from experiments.explorer.worker import Kind, Warming, Worker
from tests.experiments.explorer.serving import served


def test_programs_are_warmed_up_in_order_and_a_failure_is_named():
    done, order = threading.Event(), []

    def fail():
        order.append("second")
        raise ValueError("no memory")

    def last():
        order.append("third")
        done.set()

    warm_up = [
        Warming("first", lambda: order.append("first")),
        Warming("second", fail),
        Warming("third", last),
    ]
    worker = Worker({"same": Kind(lambda question: question)}, warm_up)
    with served(worker) as site:
        done.wait(20)
        assert site.ask("same", {"x": 1}).json == {"x": 1}  # after all of them
        assert order == ["first", "second", "third"]
        assert site.send("GET", "/api/ready").json == {
            "ready": ["first", "third"],
            "failed": {"second": "ValueError: no memory"},
        }


def test_a_quick_question_does_not_wait_for_a_slow_warm_up():
    go = threading.Event()
    kinds = {"quick": Kind(lambda question: question, quick=True)}
    with served(Worker(kinds, [Warming("slow", lambda: go.wait(20))])) as site:
        assert site.ask("quick", {"x": 2}).json == {"x": 2}
        assert site.send("GET", "/api/ready").json["ready"] == []
        go.set()
