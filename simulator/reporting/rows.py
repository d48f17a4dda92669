"""The rows of a solution that is printed."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from simulator.reporting import display

MOST_EVENTS = 12


def solution_rows(solution: Any) -> tuple[str, list[tuple[str, str]]]:
    """Title and rows of a solution that is printed."""
    shape = solution.batch_shape
    known = solution.asked is not None and solution.problem is not None
    events = solution.moments() if known else []
    moments = events[:MOST_EVENTS]
    if not shape:
        title = f"Solution of one problem ({solution.method})"
        rows = [("outcome", f"{k}: {v}") for k, v in solution.advice.items()]
        rows += [("end", display.moment(solution.log_time))]
        if known:
            first = float(
                solution.accuracy_of(jnp.asarray(solution.problem.log_policy))
            )
            rows += [("accuracy", f"{first:.4g} -> {float(solution.accuracy):.4g}")]
        rows += [("policy", display.row(np.exp(solution.log_probs)))]
        rows += [(f"at {m.name}", display.moment(m.log_time)) for m in moments]
    elif not np.prod(shape):
        return f"Solution of {display.problems(shape)} ({solution.method})", []
    else:
        title = f"Solution of {display.problems(shape)} ({solution.method})"
        counts = [f"{n:,} {name}" for name, n in solution.outcome_counts.items()]
        rows = [
            ("outcome", ", ".join(counts)),
            ("end", display.spread(solution.log_time)),
        ]
        if known:
            low, high = np.quantile(np.asarray(solution.accuracy), [0.0, 1.0])
            rows += [("accuracy", f"{low:.4g} to {high:.4g}")]
        rows += [(f"at {m.name}", display.spread(m.log_time)) for m in moments]
    if len(events) > MOST_EVENTS:
        rows += [("...", display.count(len(events) - MOST_EVENTS, "more event"))]
    return title, rows


def training_rows(run: Any) -> tuple[str, list[tuple[str, str]]]:
    """Title and rows of discrete training that is printed."""
    shape, first = np.shape(run.first_step), np.asarray(run.first_step)
    many = display.problems(shape) if shape else "one problem"
    steps = display.count(int(run.saved_steps[-1]), "step")
    happened = first[first >= 0]
    if not shape:
        rows = [("outcome", f"{k}: {v}") for k, v in run.advice.items()]
        rows += [("first step", f"{int(first):,}")] if happened.size else []
        rows += [("policy", display.row(np.exp(run.log_probs)))]
    else:
        counts = [f"{n:,} {name}" for name, n in run.outcome_counts.items()]
        rows = [("outcome", ", ".join(counts))]
        if happened.size:
            rows += [("first step", display.first_steps(first))]
    return f"Training of {many}, {steps}", [
        *rows,
        ("saved", display.steps(run.saved_steps)),
    ]
