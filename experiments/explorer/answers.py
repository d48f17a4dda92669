"""The questions that the page asks, and who answers them."""

from collections.abc import Mapping
from typing import Any

from experiments.explorer import curves, exports, maps, numbers
from experiments.explorer.state import State, from_json, to_json
from experiments.explorer.worker import Kind, Warming, Worker
from experiments.text.errors import UserError

Question = Mapping[str, Any]


def worker() -> Worker:
    """Answers all kinds of questions; programs are compiled in the order of need."""
    start = State()
    return Worker(
        {
            "curves": Kind(_curves, quick=True),
            "numbers": Kind(_numbers),
            "map": Kind(_map),
            "cell": Kind(_cell, quick=True),
        },
        [
            Warming("curves", lambda: curves.curves(start), quick=True),
            Warming("numbers", lambda: numbers.numbers(start)),
            Warming("maps", lambda: maps.values(start, maps.SIDES[0])),
        ],
    )


def _state(question: Question) -> State:
    return from_json(question.get("state"))


def _curves(question: Question) -> dict[str, Any]:
    return curves.curves(_state(question))


def _numbers(question: Question) -> dict[str, Any]:
    state = _state(question)
    return {
        "numbers": numbers.numbers(state),
        "command": exports.command(state),
        "python": exports.snippet(state),
    }


def _map(question: Question) -> dict[str, Any]:
    return maps.diagram(_state(question), _whole(question, "side"))


def _cell(question: Question) -> dict[str, Any]:
    place = [_whole(question, name) for name in ("side", "i", "j")]
    return {"state": to_json(maps.cell(_state(question), *place))}


def _whole(question: Question, name: str) -> int:
    value = question.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise UserError(f"{name} {value!r}: give a whole number.")
    return value
