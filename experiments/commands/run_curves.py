"""Curves of `pattern-selection run`: as a picture, as CSV, and side by side."""

import csv
import io
import math
from pathlib import Path
from typing import Any

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
    """Log times `[T]`, policies `[T, K]` and accuracy `[T]`, where the policy moves."""
    import numpy as np

    from simulator.reporting import plotting

    log_times, policies = plotting.on_the_way(solution, POINTS)
    accuracy = policies @ np.asarray(solution.problem.success_rates)
    return {"log_times": log_times, "policies": policies, "accuracy": accuracy}


def _rows(result: dict, solution: Any) -> list[tuple[float, Any, Any]]:
    """Log time, accuracy and policy: at the times of --at, or until the run ends."""
    if result["at"]:
        rows = result["at"]
        return [(math.log(r["time"]), r["accuracy"], r["policy"]) for r in rows]
    found = curve(solution)
    rows = zip(found["log_times"], found["accuracy"], found["policies"], strict=True)
    return [row for row in rows if row[0] <= solution.log_time]


def write_csv(path: Path, solved: dict[str, tuple[dict, Any]]) -> None:
    """One row per time; a first column `change` if several runs are compared."""
    width = max(len(result["policy"]) for result, _ in solved.values())
    head = ["log10_time", "time", "accuracy", *(f"policy_{k}" for k in range(width))]
    several = len(solved) > 1
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["change", *head] if several else head)
    for name, (result, solution) in solved.items():
        for log_time, accuracy, policy in _rows(result, solution):
            time = math.exp(log_time) if log_time < 709 else math.inf
            row = map(float, [log_time / math.log(10), time, accuracy, *policy])
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

    windows = [_moving(found) for found in curves.values()]
    low, high = min(w[0] for w in windows), max(w[1] for w in windows)
    for i, (name, found) in enumerate(curves.items()):
        x, y = found["log_times"] / np.log(10), found["accuracy"]
        # A curve that begins later, or ends earlier, stays where it is.
        times = np.linspace(low, high, 4 * POINTS)
        axes.plot(
            times, np.interp(times, x, y), ls=("-", "--", "-.", ":")[i % 4], label=name
        )
    if high - low > 3:
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.xaxis.set_major_formatter(lambda value, _: rf"$10^{{{value:g}}}$")
    axes.set(xlabel="time $t$", ylabel="accuracy", xlim=(low, high))
