"""The numbers of a state: those of the command `run`, computed for eight patterns."""

import argparse
import functools
import math
from typing import Any, NamedTuple

from experiments.commands import run, run_report, run_words
from experiments.explorer import exports
from experiments.explorer.arrays import padded
from experiments.explorer.state import State

PER_PATTERN = {"success_rates": 0.0, "logits": -math.inf}
LOWEST = 2  # the event of `run` at which the best patterns are least likely
DIGITS = 6
# Of `run`: what is long, says how it was solved, or is not asked for here.
APART = ("at", "attributes", "advice", "steps", "method", "num_steps")


class Found(NamedTuple):
    """The JSON object of `run` without stamp, the texts of its lines, and the dip.

    - `texts`: as `experiments.commands.run_words.facts` has them.
    - `log10_t_lowest`: when the best patterns are least likely; -inf: at the start.
    """

    numbers: dict[str, Any]
    texts: dict[str, str]
    log10_t_lowest: float


def found(state: State) -> Found:
    """What `run` finds for the run in focus; raises `UserError`.

    Computed with patterns that are never drawn up to eight of them, so that one program
    serves all; equal to the command's to about 1e-11.
    """
    args = _parser().parse_args(exports.words(state))
    args.seed = 0
    inputs = run.inputs(args)
    for name, fill in PER_PATTERN.items():
        inputs[name] = padded(inputs[name], fill).tolist()
    asked = dict(inputs)
    if exports.update(state) == exports.UPDATES["policy-gradient"]:
        rewards = padded(state.rewards(state.run), 0.0).tolist()
        inputs["signal"] = {"name": "fixed-confidence", "confidence": rewards}
    result, solution = run_report.measured(inputs)
    result["stamp"] = {"config": asked}
    texts = run_words.facts(result)
    K = state.num_patterns
    for name in ("policy", "log_policy"):
        result[name] = result[name][:K]
    numbers = {k: v for k, v in result.items() if k not in (*APART, "stamp")}
    return Found(numbers, texts, float(solution.event_log_times[LOWEST]) / math.log(10))


@functools.cache
def _parser() -> argparse.ArgumentParser:
    from experiments import cli

    return cli.build_parser(["run"])


def moment(log10_t: float) -> str:
    """A time as `run` prints it; a power of ten where a float cannot hold it."""
    return run_words.number(run_report.time(log10_t * math.log(10)), log10_t, DIGITS)


def rows(of: Found) -> list[dict[str, str]]:
    """What is printed for people: `key`, `label`, `text`, and what it means (`title`).

    The texts are those of the lines of `run`; the dip has its time besides. Of a run
    that did not come to its end it is said why.
    """
    texts = dict(of.texts)
    when = of.log10_t_lowest
    place = "at the start" if when == -math.inf else f"at t = {moment(when)}"
    if when >= (of.numbers["log10_time"] or math.inf):
        place = "at the end"
    texts["lowest"] += f" {place}"
    titles = {key: title for key, (_, title) in ROWS.items()}
    if of.numbers["log10_t0"] == -math.inf:
        titles["t0"] = (
            "no rival to pass: accuracy starts at the second-best rate or above"
        )
    if of.numbers["log10_t_below_base"] == math.inf:
        del texts["t_below_base"]
    outcome = of.numbers["outcome"]
    texts["outcome"] = "" if outcome in ENDED else STOPPED.get(outcome, FAILED)
    return [
        {"key": key, "label": label, "text": texts[key], "title": titles[key]}
        for key, (label, _) in ROWS.items()
        if texts.get(key)
    ]


ENDED = ("reached", "settled", "stationary")
STOPPED = {"horizon": "not at its end, but at the latest time that is looked at"}
FAILED = "too hard: stopped before its end, after as many steps as are taken here"
ROWS = {
    "accuracy": ("accuracy", "of the base model, and where the run ends"),
    "t0": ("T0", "time at which accuracy passes the second-best rate"),
    "t_cross": ("crossing", "time at which the best pattern becomes the most likely"),
    "lowest": (
        "lowest \N{GREEK SMALL LETTER PI}*",
        "least probability of the best pattern on the way",
    ),
    "peak": ("peak", "highest accuracy on the way"),
    "t_below_base": (
        "below base",
        "from then on accuracy is below that of the base model",
    ),
    "ended": (
        "ended at",
        "most likely pattern where the run ends, and whether it is the best",
    ),
    "later": ("later", "who is paid more than the pattern that it ended at"),
    "leaders": ("leaders", "which pattern is the most likely from when on"),
    "outcome": ("stopped", "why the run ends where it does"),
    "time": ("time", "at which the run ends: 0.001 below the best reward, or at rest"),
}
