"""Warm-up, and what becomes of it."""

import threading
import time

from experiments.explorer import worker
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


def test_questions_go_before_programs_and_some_wait_until_nobody_asks(monkeypatch):
    monkeypatch.setattr(worker, "IDLE", 1000.0)
    begun, go, order = threading.Event(), threading.Event(), []

    def first():
        begun.set()
        go.wait(20)
        order.append("first")

    def answer(question):
        order.append(question["x"])
        return {}

    warm_up = [
        Warming("first", first),
        Warming("second", lambda: order.append("second")),
        Warming("third", lambda: order.append("third"), idle=True),
    ]
    asked = Worker({"slow": Kind(answer)}, warm_up)
    with served(asked) as site:
        begun.wait(20)
        asking = threading.Thread(target=site.ask, args=("slow", {"x": "asked"}))
        asking.start()
        while not asked.asked:
            time.sleep(0.01)
        go.set()
        asking.join()
        site.ask("slow", {"x": "again"})
        while "second" not in order:
            time.sleep(0.01)
    assert order[:2] == ["first", "asked"] and sorted(order[2:]) == ["again", "second"]


def test_where_nobody_asks_all_programs_are_compiled():
    done = threading.Event()
    one = Warming("one", lambda: None)
    with served(Worker({}, [one, Warming("two", done.set, idle=True)])):
        assert done.wait(20)
