"""The text of `pattern-selection run`, from its JSON object."""

import math
import sys

from experiments.runtime.stamp import restored
from experiments.text import spread


def _number(value: float | None, log10: float | None, digits: int = 6) -> str:
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
    )


def comparison(results: dict[str, dict]) -> str:
    """A table of several runs, by what was changed; the first is as given."""
    head = ("change", "outcome", "time", "accuracy", "peak", "T0", "crossing")
    rows = [(*head, "ended at")]
    for name, result in results.items():
        moments = (_time(result, key) for key in ("t0", "t_cross"))
        best = "the best" if result["final_pattern_is_best"] else "not the best"
        last = result["final_pattern"]
        rows.append(
            (
                name,
                result["outcome"],
                _time(result, "time"),
                _number(result["accuracy"], result["log10_accuracy"], 4),
                _number(result["peak_accuracy"], result["log10_peak_accuracy"], 4),
                *moments,
                "-" if last is None else f"pattern {last}, {best}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
    divisors = {name: _divisor(result) for name, result in results.items()}
    lines += [f"{name}: spread {text}" for name, text in divisors.items() if text]
    return "\n".join(lines)


def _divisor(result: dict) -> str | None:
    """By what the run's update divides, if it is GRPO."""
    return spread.in_run(restored(result["stamp"]["config"]["update"]))


def _time(result: dict, key: str) -> str:
    log10 = result[f"log10_{key}"]
    if log10 is None or key in result["not_defined"]:
        return "-"
    if not math.isfinite(log10):
        return "start" if log10 < 0 else "never"
    return _number(result[key], log10, 5)


def _ending(result: dict) -> str:
    """The pattern that the policy ended at, and whether it is the best."""
    last = result["final_pattern"]
    if last is None:
        return "-"
    share = _number(result["policy"][last], 0.0, 4)
    best = f"pattern {result['best_pattern']}, success rate {result['best_rate']:g}"
    if result["final_pattern_is_best"]:
        verdict = f"the best (success rate {result['best_rate']:g})"
    else:
        verdict = f"not the best ({best})"
    return f"pattern {last} with probability {share}, {verdict}"


def lines(result: dict) -> str:
    """The lines of the command, one per fact."""

    def number(key):
        return _number(result[key], result[f"log10_{key}"])

    def moment(key):
        log10 = result[f"log10_{key}"]
        if key in result["not_defined"]:
            return "not defined"
        if log10 == -math.inf:
            return "from the start"
        return "not before the end" if log10 == math.inf else number(key)

    time, log10_time = number("time"), result["log10_time"]
    if result["time"]:
        time += f"  (10^{log10_time:.6g})"
    plateaus = result["plateaus"] or []
    leaders = [
        f"pattern {p['pattern']} from t = {_number(p['from'], p['log10_from'])}"
        for p in plateaus
    ]
    policy = " ".join(
        _number(probability, log / math.log(10), 4)
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
    peak = f"at t = {number('t_peak')}"
    if result["log10_t_peak"] == -math.inf:
        peak = "at the start"
    elif not result["log10_t_peak"] < (log10_time or math.inf):
        peak = "at the end"
    learning_rate = result["stamp"]["config"]["learning_rate"]
    steps = []
    if learning_rate is not None:
        count = "-" if result["steps"] is None else f"{result['steps']:.6g}"
        steps = [f"steps      {count}  (at learning rate {learning_rate:g})"]
    below = []
    if result["log10_t_below_base"] < math.inf:
        below = [
            f"below base {moment('t_below_base')}  (accuracy stays below its start)"
        ]
    divisor = _divisor(result)
    spreads = [f"spread     {divisor}"] if divisor else []
    return "\n".join(
        [
            f"outcome    {result['outcome']}: {result['advice']}",
            f"time       {time}",
            *steps,
            f"accuracy   {number('base_accuracy')} -> {number('accuracy')}, "
            f"peak {number('peak_accuracy')} {peak}",
            *below,
            f"ended at   {_ending(result)}",
            f"policy     {policy}{more}",
            f"T0         {moment('t0')}  ({t0_is})",
            f"crossing   {moment('t_cross')}  (best pattern becomes the most likely)",
            f"lowest pi* {number('min_optimal_probability')}",
            f"leaders    {', '.join(leaders) or '-'}",
            *spreads,
            *(_moment_line(row) for row in result["at"]),
        ]
    )
