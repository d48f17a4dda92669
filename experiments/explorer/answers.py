"""The questions that the page asks, and who answers them."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from experiments.explorer import curves, exports, maps, numbers, samples, sentences
from experiments.explorer.state import State, from_json, to_json
from experiments.explorer.worker import Kind, Warming, Worker
from experiments.text.errors import UserError
from experiments.text.objects import brief

Question = Mapping[str, Any]
Answer = Callable[[Question], dict[str, Any]]


def worker() -> Worker:
    """Answers all kinds of questions; programs are compiled in the order of need."""
    start = State()
    groups, held = start.changed(clock="grpo-8"), start.changed(run="kl", beta=0.01)
    mixture = start.changed(map="mixture")
    return Worker(
        KINDS,
        [
            Warming("curves", lambda: curves.curves(start), quick=True),
            Warming("numbers", lambda: numbers.found(start)),
            Warming("maps", lambda: maps.values(start, maps.SIDES[0])),
            Warming("groups", lambda: numbers.found(groups), idle=True),
            Warming("mixtures", lambda: maps.values(mixture, maps.SIDES[0]), idle=True),
            Warming("KL curves", lambda: curves.curves(held), idle=True),
            Warming("KL", lambda: numbers.found(held), idle=True),
            Warming("samples", lambda: samples.samples(groups, 64), idle=True),
        ],
    )


def _echoed(answer: Answer) -> Answer:
    """The same answer with the `id` of its question, a whole number, if given."""

    @functools.wraps(answer)
    def echoed(question: Question) -> dict[str, Any]:
        number = _whole(question, "id") if "id" in question else None
        found = answer(question)
        return found if number is None else {"id": number, **found}

    return echoed


def _state(question: Question) -> State:
    return from_json(question.get("state"))


@_echoed
def _curves(question: Question) -> dict[str, Any]:
    return curves.curves(_state(question))


@_echoed
def _numbers(question: Question) -> dict[str, Any]:
    state = _state(question)
    found = numbers.found(state)
    return {
        "numbers": found.numbers,
        "rows": numbers.rows(found),
        "sentences": sentences.sentences(state, found),
        "command": exports.command(state),
        "python": exports.snippet(state),
    }


@_echoed
def _map(question: Question) -> dict[str, Any]:
    return maps.diagram(_state(question), _whole(question, "side"))


@_echoed
def _cell(question: Question) -> dict[str, Any]:
    place = [_whole(question, name) for name in ("side", "i", "j")]
    return {"state": to_json(maps.cell(_state(question), *place))}


@_echoed
def _train(question: Question) -> dict[str, Any]:
    seeds = _whole({"seeds": samples.MOST_SEEDS, **question}, "seeds")
    return samples.samples(_state(question), seeds)


def _whole(question: Question, name: str) -> int:
    value = question.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise UserError(f"{name} {brief(value)}: give a whole number.")
    return value


KINDS = {
    "curves": Kind(_curves, quick=True),
    "numbers": Kind(_numbers),
    "map": Kind(_map),
    "cell": Kind(_cell, quick=True),
    "train": Kind(_train),
}
