"""The text of `pattern-selection run`, from its JSON object."""

import math
import sys
from typing import Any

from experiments.runtime.stamp import restored
from experiments.text import spread

PLATEAU = 0.9  # of the last leader's probability
ROUNDING = 1e-9  # by which equal numbers of two runs may differ
# Of how a run was solved, and what it is of.
APART = ("stamp", "method", "num_steps", "advice", "changes_nothing")


def number(value: float | None, log10: float | None, digits: int = 6) -> str:
    """A time or a probability, as a power of ten where a float cannot hold it."""
    if log10 is None or math.isnan(log10):
        return "-"
    if value is None or (value < sys.float_info.min and math.isfinite(log10)):
        return f"10^{log10:.{digits}g}"
    return f"{value:.{digits}g}"


def _moment_line(row: dict) -> str:
    shown = " ".join(f"{x:.4g}" for x in row["policy"][:8])
    more = " ..." if len(row["policy"]) > 8 else ""
    return (
        f"at t = {row['time']:g}  accuracy {row['accuracy']:.6g}, policy {shown}{more}"
        + "".join(f", {k} {v:.6g}" for k, v in row.get("attributes", {}).items())
    )


def _place(row: dict, key: str, log10_end: float | None) -> str:
    """When something is highest or lowest: `row` has its time."""
    log10 = row[f"log10_t_{key}"]
    if log10 == -math.inf:
        return "at the start"
    if not log10 < (math.inf if log10_end is None else log10_end):
        return "at the end"
    return f"at t = {number(row[f't_{key}'], log10)}"


def _attribute_line(name: str, row: dict, log10_end: float | None) -> str:
    """The mean of an attribute: at the start, at the end, highest and lowest."""
    extremes = [
        f"{key} {row[key]:.6g} {_place(row, key, log10_end)}"
        for key in ("highest", "lowest")
    ]
    return f"attribute  {name} {row['start']:.6g} -> {row['end']:.6g}, " + ", ".join(
        extremes
    )


def comparison(results: dict[str, dict]) -> str:
    """A table of several runs, by what was changed; the first is as given."""
    head = ("change", "outcome", "time", "accuracy", "peak", "T0", "crossing")
    stops = [result["stamp"]["config"]["until"] for result in results.values()]
    differ = len(set(stops)) > 1
    rows = [(*head, "ended at", *["until"] * differ)]
    for (name, result), stop in zip(results.items(), stops, strict=True):
        moments = (_time(result, key) for key in ("t0", "t_cross"))
        rows.append(
            (
                name,
                result["outcome"],
                _time(result, "time"),
                number(result["accuracy"], result["log10_accuracy"], 4),
                number(result["peak_accuracy"], result["log10_peak_accuracy"], 4),
                *moments,
                _ended(result),
                *[stop] * differ,
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    lines += [
        f"{name}: changes nothing; all numbers are those of the first run"
        for name, result in list(results.items())[1:]
        if same_numbers(next(iter(results.values())), result)
    ]
    divisors = {name: _divisor(result) for name, result in results.items()}
    lines += [f"{name}: spread {text}" for name, text in divisors.items() if text]
    return "\n".join(lines)


def same_numbers(one: dict, other: dict) -> bool:
    """Whether two runs of the same length have the same numbers, but for rounding."""
    kept = [
        {k: v for k, v in result.items() if k not in APART} for result in (one, other)
    ]
    numbers, words = zip(*map(_leaves, kept), strict=True)
    if words[0] != words[1] or len(numbers[0]) != len(numbers[1]):
        return False
    return all(
        a == b or (a != a and b != b) or math.isclose(a, b, rel_tol=ROUNDING)
        for a, b in zip(*numbers, strict=True)
    )


def _leaves(value: Any) -> tuple[list[float], list[Any]]:
    """All numbers in a result, and all else, each in order."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        parts = [_leaves(item) for item in value]
        return sum((p[0] for p in parts), []), sum((p[1] for p in parts), [])
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [float(value)], []
    return [], [value]


def _ended(result: dict) -> str:
    """The cell of a comparison: the last leader, and who wins after it."""
    if result["final_pattern"] is None:
        return "-"
    shown = f"{_patterns(result['final_patterns'])}, {_verdict(result)}"
    more = result["paid_more"]
    if more is None:
        return shown
    then = "wins later" if more["wins_later"] else "is paid more"
    return f"{shown}; pattern {more['pattern']} {then}"


def _verdict(result: dict) -> str:
    """Whether the last leader is the best pattern of the base model."""
    if result["final_pattern_is_best"]:
        return "the best"
    among = result["best_pattern"] in result["final_patterns"]
    return "the best among them" if among else "not the best"


def _patterns(numbers: list[int]) -> str:
    """The last leader, or all that are equally likely."""
    if len(numbers) == 1:
        return f"pattern {numbers[0]}"
    return f"patterns {', '.join(map(str, numbers[:8]))}{' ...' * (len(numbers) > 8)}"


def _divisor(result: dict) -> str | None:
    """By what the run's update divides, if it is GRPO."""
    return spread.in_run(restored(result["stamp"]["config"]["update"]))


def _time(result: dict, key: str) -> str:
    log10 = result[f"log10_{key}"]
    if log10 is None or key in result["not_defined"]:
        return "-"
    if not math.isfinite(log10):
        waits = key in result["not_before_the_end"]
        return "start" if log10 < 0 else "not yet" if waits else "never"
    return number(result[key], log10, 5)


def _ending(result: dict) -> str:
    """The pattern that the policy ended at, and whether it is the best."""
    last = result["final_pattern"]
    if last is None:
        return "-"
    share = number(result["policy"][last], 0.0, 4)
    level = result["final_patterns"]
    share += " each" * (len(level) > 1)
    best = f"success rate {result['best_rate']:g}"
    if not result["final_pattern_is_best"]:
        best = f"pattern {result['best_pattern']}, {best}"
    known = f"{_verdict(result)} ({best})"
    return f"{_patterns(level)} with probability {share}, {known}"


def _later(result: dict) -> str:
    """Who is paid more than the last leader, and what comes of it."""
    more, last = result["paid_more"], result["final_pattern"]
    penalised = (result["stamp"]["config"]["update"].get("beta") or 0) != 0
    net = "net of KL, " * penalised
    words = (
        f"pattern {more['pattern']} is paid more ({net}{more['reward']:.6g}; "
        f"pattern {last}: {more['reward_of_final']:.6g})"
    )
    if not more["wins_later"]:
        return f"{words} for now; --until rest shows whether it wins"
    stopped = "on a plateau" if result["policy"][last] > PLATEAU else "before"
    return f"{words} and wins later; the run stopped {stopped}"


def facts(result: dict) -> dict[str, str]:
    """The numbers of a result as they are printed, each a text, by name.

    A moment is a time, or says from the start, never, or not before the end.
    """

    def shown(key):
        return number(result[key], result[f"log10_{key}"])

    def moment(key):
        log10 = result[f"log10_{key}"]
        if key in result["not_defined"]:
            return "not defined"
        if log10 == -math.inf:
            return "from the start"
        if log10 == math.inf:
            waits = key in result["not_before_the_end"]
            return "not before the end" if waits else "never"
        return shown(key)

    leaders = [
        f"pattern {p['pattern']} from t = {number(p['from'], p['log10_from'])}"
        for p in result["plateaus"] or []
    ]
    return {
        "time": shown("time"),
        "accuracy": f"{shown('base_accuracy')} -> {shown('accuracy')}",
        "peak": f"{shown('peak_accuracy')} "
        + _place(result, "peak", result["log10_time"]),
        **{key: moment(key) for key in ("t0", "t_cross", "t_below_base")},
        "ended": _ending(result),
        "later": _later(result) if result["paid_more"] else "",
        "lowest": shown("min_optimal_probability"),
        "leaders": ", ".join(leaders) or "-",
    }


def lines(result: dict) -> str:
    """The lines of the command, one per fact."""
    found = facts(result)
    time, log10_time = found["time"], result["log10_time"]
    if result["time"]:
        time += f"  (10^{log10_time:.6g})"
    policy = " ".join(
        number(probability, log / math.log(10), 4)
        for probability, log in zip(
            result["policy"][:8], result["log_policy"], strict=False
        )
    )
    more = " ..." if len(result["policy"]) > 8 else ""
    t0_is = "accuracy passes the second-best rate"
    if "t0" in result["not_defined"]:
        t0_is = (
            "no second-best rate: all patterns of the base model are right equally "
            "often"
        )
    learning_rate = result["stamp"]["config"]["learning_rate"]
    steps = []
    if learning_rate is not None:
        count = "-" if result["steps"] is None else f"{result['steps']:.6g}"
        steps = [f"steps      {count}  (at learning rate {learning_rate:g})"]
    below = []
    if result["log10_t_below_base"] < math.inf:
        below = [
            f"below base {found['t_below_base']}  (accuracy stays below its start)"
        ]
    later = [f"later      {found['later']}"] if result["paid_more"] else []
    divisor = _divisor(result)
    spreads = [f"spread     {divisor}"] if divisor else []
    return "\n".join(
        [
            f"outcome    {result['outcome']}: {result['advice']}",
            f"time       {time}",
            *steps,
            f"accuracy   {found['accuracy']}, peak {found['peak']}",
            *below,
            *(
                _attribute_line(name, row, log10_time)
                for name, row in result["attributes"].items()
            ),
            f"ended at   {found['ended']}",
            *later,
            f"policy     {policy}{more}",
            f"T0         {found['t0']}  ({t0_is})",
            f"crossing   {found['t_cross']}  (best pattern becomes the most likely)",
            f"lowest pi* {found['lowest']}",
            f"leaders    {found['leaders']}",
            *spreads,
            *(_moment_line(row) for row in result["at"]),
        ]
    )
