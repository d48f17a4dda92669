"""Curves of `pattern-selection run`: as a picture, as CSV, and side by side."""

import math
from pathlib import Path
from typing import Any

from experiments.runtime.output import write_bytes
from experiments.text.errors import UserError

KINDS = ("svg", "png", "pdf")
POINTS = 256  # of each curve


def check_plot(path: Path) -> None:
    """Raise `UserError` for a file name that is of no kind of picture."""
    if path.suffix[1:] not in KINDS:
        kinds = ", ".join(f".{kind}" for kind in KINDS)
        raise UserError(f"--plot {path}: give a file name that ends in {kinds}.")


def curve(solution: Any, times: list[float] | None = None) -> dict[str, Any]:
    """Log times `[T]`, policies `[T, K]` and accuracy `[T]` of one run.

    At the `times` given, or where the policy moves.
    """
    import numpy as np

    from simulator.reporting import plotting

    if times is None:
        log_times, policies = plotting.on_the_way(solution, POINTS)
    else:
        log_times = np.log(np.unique(times))
        policies = solution.again(log_times).saved_policies()
    accuracy = policies @ np.asarray(solution.problem.success_rates)
    return {"log_times": log_times, "policies": policies, "accuracy": accuracy}


def write_csv(path: Path, curves: dict[str, dict[str, Any]]) -> None:
    """One row per time; a first column `change` if several runs are compared."""
    width = max(c["policies"].shape[1] for c in curves.values())
    head = ["log10_time", "time", "accuracy", *(f"policy_{k}" for k in range(width))]
    rows = [["change", *head] if len(curves) > 1 else head]
    for name, found in curves.items():
        for log_time, accuracy, policy in zip(
            found["log_times"], found["accuracy"], found["policies"], strict=True
        ):
            time = math.exp(log_time) if log_time < 709 else math.inf
            numbers = [log_time / math.log(10), time, accuracy, *policy]
            row = [repr(float(x)) for x in numbers]
            rows.append([_quoted(name), *row] if len(curves) > 1 else row)
    write_bytes(path, "".join(",".join(row) + "\n" for row in rows).encode())


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n') else text


def write_plot(
    path: Path, solutions: dict[str, Any], curves: dict[str, dict], stamp: dict
) -> None:
    """One run: policies and accuracy with events; several: accuracy of each."""
    import matplotlib

    from experiments.pictures import style

    with matplotlib.rc_context(style.RC):
        figure, axes = style.panels(1, width=5.0, height=3.2)
        if len(solutions) == 1:
            (solution,) = solutions.values()
            solution.plot(axes[0][0])
        else:
            _draw_together(axes[0][0], curves)
        write_bytes(path, style.rendered(figure, path.suffix[1:], stamp))


def _draw_together(axes, curves: dict[str, dict]) -> None:
    import numpy as np

    low = min(c["log_times"][0] for c in curves.values()) / np.log(10)
    high = max(c["log_times"][-1] for c in curves.values()) / np.log(10)
    for i, (name, found) in enumerate(curves.items()):
        x, y = found["log_times"] / np.log(10), found["accuracy"]
        # A curve that ends early stays where it ended.
        x, y = np.append(x, high), np.append(y, y[-1])
        axes.plot(x, y, ls=("-", "--", "-.", ":")[i // 6 % 4], label=name)
    if high - low > 3:
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.xaxis.set_major_formatter(lambda value, _: rf"$10^{{{value:g}}}$")
    axes.set(xlabel="time $t$", ylabel="accuracy", xlim=(low, high))
    axes.legend()
