"""Curves of `pattern-selection run`: as a picture, as CSV, and side by side."""

import csv
import io
import math
from pathlib import Path
from typing import Any

from experiments.commands import run_report
from experiments.runtime.output import check_writable_folder, write_bytes
from experiments.text.errors import UserError

KINDS = ("svg", "png", "pdf")
POINTS = 256  # of each curve
STILL, MARGIN = 0.002, 0.7  # change of accuracy that is not seen; powers of ten around


def check_plot(path: Path) -> None:
    """Raise `UserError` for a file name that is of no kind of picture."""
    if path.suffix[1:] not in KINDS:
        kinds = ", ".join(f".{kind}" for kind in KINDS)
        raise UserError(f"--plot {path}: give a file name that ends in {kinds}.")
    check_file(path, "--plot")


def check_file(path: Path, option: str) -> None:
    """Raise `UserError` for a file that cannot be written, before anything runs."""
    if path.is_dir():
        raise UserError(f"{option} {path}: it is a folder; give a file name.")
    check_writable_folder(path.parent, option)


def curve(solution: Any) -> dict[str, Any]:
    """Log times `[T]`, policies `[T, K]` and accuracy `[T]`, where the policy moves.

    `ends`: whether the run stopped at the last time, and the curve with it.
    """
    import numpy as np

    from simulator.reporting import plotting

    log_times, policies = plotting.on_the_way(solution, POINTS)
    return {
        "log_times": log_times,
        "policies": policies,
        "accuracy": policies @ np.asarray(solution.problem.success_rates),
        "ends": plotting.ends(solution, log_times),
    }


def _rows(result: dict, solution: Any) -> list[tuple[float, float, Any, Any]]:
    """Log10 time, time, accuracy and policy: at the times of --at, or as it moves."""
    if result["at"]:
        return [
            (
                math.log10(row["time"]) if row["time"] else -math.inf,
                row["time"],
                row["accuracy"],
                row["policy"],
            )
            for row in result["at"]
        ]
    found = curve(solution)
    times = [(t / math.log(10), run_report.time(t)) for t in found["log_times"]]
    return [
        (log10_time, math.inf if time is None else time, accuracy, policy)
        for (log10_time, time), accuracy, policy in zip(
            times, found["accuracy"], found["policies"], strict=True
        )
    ]


def _means(solution: Any, names: list[str], policy: Any) -> list[float]:
    """The means of attributes under a policy; NaN for one that the run has not."""
    import numpy as np

    known = solution.problem.attributes
    return [
        np.asarray(policy) @ np.asarray(known[name]) if name in known else np.nan
        for name in names
    ]


def write_csv(path: Path, solved: dict[str, tuple[dict, Any]]) -> None:
    """One row per time; a first column `change` if several runs are compared."""
    width = max(len(result["policy"]) for result, _ in solved.values())
    found = (name for _, run in solved.values() for name in run.problem.attributes)
    names = list(dict.fromkeys(found))
    head = ["log10_time", "time", "accuracy", *(f"attribute_{k}" for k in names)]
    head += [f"policy_{k}" for k in range(width)]
    several = len(solved) > 1
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["change", *head] if several else head)
    for name, (result, solution) in solved.items():
        for log10_time, time, accuracy, policy in _rows(result, solution):
            means = _means(solution, names, policy)
            row = map(float, [log10_time, time, accuracy, *means, *policy])
            table.writerow([name, *row] if several else row)
    write_bytes(path, text.getvalue().encode())


def write_plot(
    path: Path, solutions: dict[str, Any], stamp: dict, table: dict[str, Any]
) -> None:
    """One run: policies and accuracy with events; several: accuracy of each.

    `table`: looks, as in `[figure]`.
    """
    from experiments.pictures import looks, style

    asked = looks.read(table)
    with looks.context(asked):
        figure, grid = style.panels(1, width=6.0, height=3.2)
        axes = grid[0][0]
        if len(solutions) == 1:
            (solution,) = solutions.values()
            solution.plot(axes)
        else:
            _draw_together(axes, {n: curve(s) for n, s in solutions.items()})
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
        looks.dress(figure, asked)
        stamp = stamp | ({"figure": table} if table else {})
        write_bytes(path, style.rendered(figure, path.suffix[1:], stamp))


def _moving(found: dict) -> tuple[float, float]:
    """From when to when accuracy moves to be seen, as powers of ten."""
    import numpy as np

    x, y = found["log_times"] / np.log(10), found["accuracy"]
    first = np.flatnonzero(np.abs(y - y[0]) > STILL)
    last = np.flatnonzero(np.abs(y - y[-1]) > STILL)
    low = x[first[0]] - MARGIN if first.size else x[0]
    return low, x[last[-1]] + MARGIN if last.size else x[-1]


def _draw_together(axes, curves: dict[str, dict]) -> None:
    import numpy as np

    from simulator.reporting import plotting

    windows = [_moving(found) for found in curves.values()]
    low, high = min(w[0] for w in windows), max(w[1] for w in windows)
    for i, (name, found) in enumerate(curves.items()):
        x, y = found["log_times"] / np.log(10), found["accuracy"]
        # A curve that begins later, or is at rest earlier, stays where it is.
        times = np.linspace(low, high, 4 * POINTS)
        if found["ends"]:
            times = np.append(times[times < x[-1]], x[-1])
        shown = np.interp(times, x, y)
        (line,) = axes.plot(times, shown, ls=("-", "--", "-.", ":")[i % 4], label=name)
        if found["ends"]:
            plotting.mark_end(axes, x[-1], y[-1], line.get_color())
    if any(found["ends"] for found in curves.values()):
        plotting.name_ends(axes)
    if high - low > 3:
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.xaxis.set_major_formatter(lambda value, _: rf"$10^{{{value:g}}}$")
    axes.set(xlabel="time $t$", ylabel="accuracy", xlim=(low, high))
