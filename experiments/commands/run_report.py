"""The report of `pattern-selection run`: one base model, one recipe, as numbers."""

import math
from typing import Any

from experiments.commands.run_ending import decided, ending
from experiments.text import base_model, events as named_events, objects

MOMENTS = {"t0": 0, "t_cross": 1, "t_peak": 3, "t_below_base": 4}  # and their events
MOST_PLATEAUS = 32  # patterns for which it is reported who leads when


def report(inputs: dict) -> dict:
    """The JSON object of the command, for the `inputs` of `run`."""
    return solved(inputs)[0]


def solved(inputs: dict) -> tuple[dict, Any]:
    """The JSON object of the command, and the `Solution` that it is of."""
    from experiments.runtime.stamp import stamp

    result, solution = measured(inputs)
    return result | {"stamp": stamp(inputs, inputs["seed"])}, solution


def measured(inputs: dict) -> tuple[dict, Any]:
    """The same without its stamp, which says what made it and takes longer."""
    import numpy as np

    import simulator as sim
    from simulator.observables import within_floats

    signal = objects.named(sim.AbstractSignal, inputs["signal"], "--signal")
    update = objects.named(sim.AbstractUpdate, inputs["update"], "--update")
    problem = sim.Problem(**{name: inputs[name] for name in base_model.NAMES})
    events = (
        sim.T0(),
        sim.Crossing(),
        sim.LowestOptimalProbability(),
        sim.PeakAccuracy(),
        sim.BelowBase(),
        *(
            kind(name)
            for name in inputs["attributes"] or ()
            for kind in (sim.HighestAttribute, sim.LowestAttribute)
        ),
    )
    stop = named_events.read(inputs["until"], "--until")
    few = problem.num_patterns <= MOST_PLATEAUS
    leads = [sim.Leads(k) for k in range(problem.num_patterns)] if few else []
    solution = sim.solve(
        problem,
        signal,
        update,
        until=stop,
        events=(*events, *leads),
        max_log_time=inputs["max_log10_time"] * math.log(10),
        max_steps=inputs["max_steps"],
        method=inputs["method"],
        tolerance=inputs["tolerance"],
    )
    if solution.outcome == sim.Outcome.unreachable:
        best = float(sim.best_value(problem.log_policy, problem.success_rates))
        given = f"--until {inputs['until']}"
        raise named_events.never(stop, given, best, ", or --until gap=1e-3")
    rates = np.asarray(problem.success_rates)
    base = np.asarray(problem.log_policy)
    final = np.asarray(within_floats(solution.log_probs))
    event_log_times = np.asarray(solution.event_log_times)
    event_log_probs = np.asarray(solution.event_log_probs)

    def moment(index):
        log_time = float(event_log_times[index])
        return time(log_time) if math.isfinite(log_time) else None

    def log10(index):
        return float(event_log_times[index]) / math.log(10)

    def since(index):
        return 0.0 if log10(index) == -math.inf else moment(index)

    def accuracies(name, log_probs):
        log = float(sim.log_accuracy(log_probs, rates))
        return {
            name: float(sim.accuracy(log_probs, rates)),
            f"log10_{name}": log / math.log(10),
        }

    lowest = sim.log_optimal_probability(event_log_probs[2], rates)
    log_lowest = within_floats(lowest)
    log_time = float(solution.log_time)
    stationary = solution.outcome == sim.Outcome.stationary
    never = decided(solution)
    no_t0 = ["t0"] if sim.T0().impossible(problem, None) else []
    ((name, advice),) = solution.advice.items()
    result = {
        "outcome": name,
        "advice": advice,
        "time": None if stationary else time(log_time),
        "log10_time": None if stationary else log_time / math.log(10),
        **accuracies("accuracy", final),
        "policy": np.exp(final).tolist(),
        "log_policy": final.tolist(),
        **accuracies("base_accuracy", base),
        "t0": moment(0),
        "t_cross": moment(1),
        "t_peak": since(3),
        **{f"log10_{name}": log10(index) for name, index in MOMENTS.items()},
        "from_the_start": [k for k, i in MOMENTS.items() if log10(i) == -math.inf],
        "not_defined": no_t0,
        "not_before_the_end": [
            name
            for name in ("t0", "t_cross", "t_below_base")
            if not never and log10(MOMENTS[name]) == math.inf and name not in no_t0
        ],
        "min_optimal_probability": math.exp(log_lowest),
        "log10_min_optimal_probability": float(log_lowest) / math.log(10),
        **accuracies("peak_accuracy", event_log_probs[3]),
        "attributes": attributes(problem, solution),
        "t_below_base": since(4),
        **ending(solution, base, final, rates),
        "steps": _steps(log_time, inputs["learning_rate"]),
        "plateaus": _plateaus(solution, base, rates, len(events)) if few else None,
        "entropy": float(sim.entropy(final)),
        "kl_to_base": float(sim.kl(final, base)),
        "method": solution.method,
        "num_steps": int(solution.num_steps),
        "at": _at(problem, signal, update, inputs),
    }
    return result, solution


def attributes(problem, solution) -> dict[str, dict]:
    """Of each attribute its mean at the start, at the end, and where it is extreme."""
    import numpy as np

    import simulator as sim

    found = {}
    for name in problem.attributes:
        values = problem.attribute(name)

        def mean(log_probs, values=values):
            return float(np.sum(np.exp(log_probs) * np.asarray(values)))

        row = {"start": mean(problem.log_policy), "end": mean(solution.log_probs)}
        kinds = {"highest": sim.HighestAttribute, "lowest": sim.LowestAttribute}
        for key, kind in kinds.items():
            moment = solution.at(kind(name))
            log_time = float(moment.log_time)
            row[key] = mean(moment.log_probs)
            row[f"t_{key}"] = time(log_time)
            row[f"log10_t_{key}"] = log_time / math.log(10)
        found[name] = row
    return found


def _at(problem, signal, update, inputs: dict) -> list[dict]:
    """Accuracy and policy at the times asked for, also after the event to stop at.

    The earliest first.
    """
    import numpy as np

    if not inputs["at"]:
        return []
    times = np.unique(inputs["at"])
    start = times == 0  # the base policy, at no log time
    later = times[~start]
    policies = [np.exp(problem.log_policy)[None]] * bool(start.any())
    if later.size:
        found = _saved(problem, signal, update, inputs, later)
        if found.failed:
            return []
        policies.append(found.saved_policies())
    rows = np.concatenate(policies)
    accuracies = rows @ np.asarray(problem.success_rates)
    found = zip(times, accuracies, rows, strict=True)
    means = {k: rows @ np.asarray(v) for k, v in problem.attributes.items()}
    return [
        {"time": t, "accuracy": a, "policy": policy}
        | ({"attributes": {k: v[i] for k, v in means.items()}} if means else {})
        for i, (t, a, policy) in enumerate(found)
    ]


def _saved(problem, signal, update, inputs: dict, times):
    """The same run, not stopped, with policies saved at these times."""
    import numpy as np

    import simulator as sim

    return sim.solve(
        problem,
        signal,
        update,
        save_log_times=np.log(times),
        max_log_time=float(np.log(times[-1])),
        max_steps=inputs["max_steps"],
        method=inputs["method"],
        tolerance=inputs["tolerance"],
    )


def _steps(log_time: float, learning_rate: float | None) -> float | None:
    """Time is learning rate times steps; None where a float cannot hold them."""
    if learning_rate is None or math.isnan(log_time):
        return None
    return time(log_time - math.log(learning_rate))


def _plateaus(solution, base, rates, first: int) -> list[dict]:
    """Who leads from when to when; times as those of the result."""
    import numpy as np

    from simulator.leaders import sequence

    if math.isnan(solution.log_time):
        return []
    log_times = np.asarray(solution.event_log_times)[first:]
    return [
        {
            "pattern": plateau.pattern,
            "success_rate": float(rates[plateau.pattern]),
            "from": time(plateau.log_enter),
            "to": time(plateau.log_leave),
            "log10_from": plateau.log_enter / math.log(10),
            "log10_to": plateau.log_leave / math.log(10),
        }
        for plateau in sequence(base, log_times, float(solution.log_time))
    ]


def time(log_time: float) -> float | None:
    """The time itself, or None where a float cannot hold it."""
    return math.exp(log_time) if log_time < 709 else None
