"""Do the engines agree? Closed form, numerical flow and discrete training, compared.

All three follow the same problems to the time `END`. Discrete training takes steps of
`STEP` and of half of it; as it is Euler's method its difference to the flow halves, and
what `2 x(half) - x(whole)` leaves is of second order.
"""

from typing import Any

import numpy as np
import optax

import simulator as sim
from experiments.checks.random_problems import mixed, moving
from experiments.checks.runs import MOMENTS
from experiments.runtime.keys import generator
from experiments.runtime.progress import bar

END = 30.0
STEP = 0.02
MOST = 1000  # problems per recipe
PATTERNS = 4
NEVER = 1e-99  # a gap that no recipe reaches by then
FIRST = 2  # of the moments, T0 and the crossing; the lowest pi_* is often the start
AT_START = 1e-12  # an event before this time held from the start, up to rounding


def agreement(problems: int, seed: int) -> list[dict]:
    """One row per recipe: worst differences over `problems` random base models."""
    rng = generator(seed, "agreement")
    rates, log_policy = mixed(rng, min(problems, MOST), PATTERNS, moving)
    given = sim.Problem(rates, logits=log_policy)
    # Made here, so that they have the precision that the command asks for.
    recipes = {
        "policy gradient": sim.PolicyGradient(),
        "GRPO, groups of 8": sim.GRPO(8),
        "natural gradient, KL 0.1": sim.NaturalGradient(np.full(len(rates), 0.1)),
    }
    rows = []
    for name, update in recipes.items():
        with bar(f"agreement, {name}"):
            rows.append({"recipe": name} | _row(given, update))
    return rows


def _row(given: sim.Problem, update: Any) -> dict:
    # Asked for as the checks of theorems do: they share the programs.
    options: dict[str, Any] = {
        "until": sim.Gap(np.full(len(given.log_policy), NEVER)),
        "events": MOMENTS,
        "max_log_time": float(np.log(END)),
    }
    exact = sim.exact(given, sim.Verifiable(), update, **options)
    flow = sim.flow(given, sim.Verifiable(), update, **options)
    whole, half = (_trained(given, update, finer) for finer in (1, 2))
    ok = np.ones(given.batch_shape, bool)
    for solution in (exact, flow):
        ok &= np.isin(solution.outcome_names, ("horizon", "settled"))
    # An event that one engine sees and the other does not is a difference.
    times = [np.asarray(s.event_log_times)[ok, :FIRST] for s in (exact, flow)]
    times = [np.where(t < np.log(AT_START), -np.inf, t) for t in times]
    alike = times[0] == times[1]
    with np.errstate(invalid="ignore"):
        apart = np.where(alike, 0.0, np.abs(times[0] - times[1]))
    inside = (np.asarray(given.log_policy) > -np.inf) & ok[:, None]
    final, by_flow, whole, half = (
        np.where(inside, x, 0.0) for x in (exact.log_probs, flow.log_probs, whole, half)
    )
    twice = 2 * half - whole
    twice = twice - np.log(np.sum(np.exp(twice), axis=-1, where=inside))[:, None]

    def worst(other):
        return float(np.max(np.abs(np.where(inside, other - final, 0.0))))

    return {
        "problems": int(ok.sum()),
        "unresolved": int((~ok).sum()),
        "flow_log_time": float(np.max(apart)),
        "flow_log_policy": worst(by_flow),
        "training_step": STEP,
        "training_log_policy": worst(whole),
        "training_half_step_log_policy": worst(half),
        "training_extrapolated_log_policy": worst(twice),
    }


def _trained(given: sim.Problem, update: Any, finer: int):
    """Log-probabilities after gradient ascent to `END` in steps `STEP/finer`."""
    steps = round(END / STEP) * finer
    run = sim.train(
        given,
        sim.Verifiable(),
        update,
        optax.sgd(STEP / finer),
        num_steps=steps,
        save_every=steps,
    )
    return np.asarray(run.log_probs)


def table(rows: list[dict]) -> str:
    """The rows for people; differences of logarithms, worst case."""
    first = rows[0]
    lines = [
        f"Agreement of the engines up to t = {END:g}: worst differences to the closed "
        "form",
        f"{'':<25} {'':>8} {'':>10} {'flow:':>9} {'':>9} "
        f"{'training:':>10} {'':>9} {'':>9}",
        f"{'recipe':<25} {'problems':>8} {'unresolved':>10} {'log t':>9} "
        f"{'log pi':>9} {'eta = ' + format(first['training_step'], 'g'):>10} "
        f"{'half':>9} {'2 h - w':>9}",
    ]
    for row in rows:
        lines.append(
            f"{row['recipe']:<25} {row['problems']:>8} {row['unresolved']:>10} "
            f"{row['flow_log_time']:>9.1e} {row['flow_log_policy']:>9.1e} "
            f"{row['training_log_policy']:>10.1e} "
            f"{row['training_half_step_log_policy']:>9.1e} "
            f"{row['training_extrapolated_log_policy']:>9.1e}"
        )
    return "\n".join(lines)
