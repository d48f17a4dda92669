"""The text of `pattern-selection train`, from its JSON object."""

import sys

from experiments.text import recipes, spread

ROWS = 10  # about so many of the saved steps are shown
BEST = ("pi*", "optimal_probability", "mean", 8)
SHOWN = 1e-4  # smaller probabilities would be 0.0000 in the table


def lines(result: dict) -> str:
    """A table of about ten of the saved steps, and notes below it."""
    columns = [
        ("accuracy", "accuracy", "mean", 9),
        ("5 %", "accuracy", "q05", 7),
        ("95 %", "accuracy", "q95", 7),
        BEST,
        ("entropy", "entropy", "mean", 8),
        ("KL", "kl_to_base", "mean", 8),
        ("pass@8", "pass_at_8", "mean", 7),
    ]
    # The base model is its own reference, unless the questions say otherwise.
    if result["kl_to_reference"]["mean"][0] > 0:
        columns.insert(-1, ("KL ref", "kl_to_reference", "mean", 8))
    titles = [f"{title:>{width}}" for title, _, _, width in columns]
    lines = [" ".join([f"{'step':>8}", *titles])]
    last = len(result["steps"]) - 1
    for row in sorted({*range(0, last, -(-last // ROWS)), last}):
        step = result["steps"][row]
        numbers = [
            f"{result[name][part][row]:>{width}.4f}" for _, name, part, width in columns
        ]
        rare = result["optimal_probability"]["mean"][row]
        if rare < SHOWN:
            log10 = result["log10_optimal_probability"]["mean"][row]
            shown = f"{rare:.1e}" if rare >= sys.float_info.min else f"10^{log10:.0f}"
            numbers[columns.index(BEST)] = f"{shown:>8}"
        lines.append(" ".join([f"{step:>8}", *numbers]).replace("nan", "  -"))
    return "\n".join([*lines, *_notes(result)])


def _notes(result: dict) -> list[str]:
    """The lines below the table."""
    blind, questions = result["questions_without_best"], result["questions"]
    lines = [f"{result['seeds']} seeds: {_outcomes(result)}"]
    if blind < questions:
        lines[0] += f"; the best pattern is lost in {100 * result['lost']:.3g} %"
    if blind:
        lines.append(
            f"pi* and what is lost leave out {blind} of {questions} questions: all of "
            "their patterns are equally good"
        )
    if result["first_step"]:
        lines.append(_first_step(result))
    used, idle, redrawn = (result["groups"][k] for k in ("used", "idle", "redrawn"))
    if used:
        line = f"groups: {100 * idle / used:.3g} % idle (all rewards equal)"
        again = f", {redrawn / used:.3g} redrawn per group used"
        lines.append(line + (again if redrawn else ""))
    divisor = spread.in_train(recipes.loads(result["stamp"]["config"]["recipe"]))
    lines += [f"GRPO divides by the {divisor}"] if divisor else []
    failed = {k: v for k, v in result["advice"].items() if k != "horizon"}
    return lines + [f"{name}: {advice}" for name, advice in failed.items()]


def _outcomes(result: dict) -> str:
    """How many of the runs took all steps, and what became of the others."""
    counts, steps = dict(result["outcomes"]), result["steps"][-1]
    whole = counts.pop("horizon", 0)
    if whole == result["seeds"]:
        return f"all {steps} steps taken"
    failed = [f"{number} {name}" for name, number in counts.items()]
    some = [f"all {steps} steps taken by {whole}"] if whole else []
    return ", ".join([*some, *failed])


def _first_step(result: dict) -> str:
    """When the event of `--until` held first."""
    first, questions = result["first_step"], result["questions"]
    what = first["until"] + (f" (mean of {questions} questions)" * (questions > 1))
    steps = (first[name] for name in ("q10", "q50", "q90"))
    shown = ", ".join("never" if step is None else str(step) for step in steps)
    return (
        f"{what}: first at step {shown} (10, 50, 90 % of the seeds); "
        f"{100 * first['never']:.3g} % never in {result['steps'][-1]} steps"
    )
