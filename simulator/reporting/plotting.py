"""Curves of one solution on log time, and bands of many sampled runs on steps."""

from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.dynamics import Dynamics
from simulator.outcome import Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from simulator.moment import Moment
    from simulator.paths import Trace
    from simulator.rollouts.train import Run
    from simulator.solution import Solution

MOST_CURVES = 8  # with a colour and a name; the other patterns are thin and grey
STILL = 0.005  # change of a probability that is not seen
MARGIN = 0.5 * np.log(10)  # of log time, before and after what is seen
EARLY = 2 * np.log(10)  # before a unit of time, where nothing moves yet
MARKER = 4  # points across, at the end of a curve
BEYOND = 0.02  # of the width, to the right of the last time
TOGETHER = 0.02  # of the width: names of events that share a place


def draw_solution(solution: "Solution", axes: "Axes | None", points: int) -> "Axes":
    """See `Solution.plot`."""
    times, policies = on_the_way(solution, points)
    axes = _axes(axes)
    rates = np.asarray(solution.known_problem().success_rates)
    x = times / np.log(10)
    before = len(axes.lines)
    _draw_policies(axes, x, policies, rates)
    axes.plot(x, policies @ rates, color="black", lw=2, ls="--", label="accuracy")
    _draw_attributes(axes, x, policies, solution.known_problem().attributes)
    if ends(solution, times):
        for line in axes.lines[before:]:
            last = np.asarray(line.get_ydata())[-1]
            mark_end(axes, x[-1], last, line.get_color())
        name_ends(axes)
    _mark_events(axes, solution, x)
    if x[-1] - x[0] > 3:
        axes.locator_params(axis="x", integer=True)
    axes.xaxis.set_major_formatter(lambda value, _: rf"$10^{{{value:g}}}$")
    axes.set(xlabel="time $t$", ylabel="probability", ylim=(-0.02, 1.02))
    beyond = BEYOND * (x[-1] - x[0]) or 1.0  # a run may stop at the start
    axes.set_xlim(x[0], x[-1] + beyond)
    axes.legend()
    return axes


def draw_run(
    run: "Run", axes: "Axes | None", policies: np.ndarray, quantiles: Any
) -> "Axes":
    """See `Run.plot`; `policies` `[S, T, Q, K]`, from step 0 on."""
    axes = _axes(axes)
    steps = np.concatenate([[0], np.asarray(run.saved_steps)])
    rates = np.asarray(run.problem.success_rates)
    low, high = quantiles
    if len(rates) == 1:
        best = np.argsort(-policies[:, :, 0].max(axis=(0, 1)))[:MOST_CURVES]
        for i, k in enumerate(sorted(best)):
            name = f"pattern {k} (right: {rates[0, k]:.3g})"
            _band(axes, steps, policies[:, :, 0, k], quantiles, f"C{i}", name)
    accuracy = np.einsum("stqk,qk->st", policies, rates) / len(rates)
    name = f"accuracy, {100 * low:g} to {100 * high:g} % of seeds"
    _band(axes, steps, accuracy, quantiles, "black", name, ls="--", lw=2)
    axes.set(xlabel="step", ylabel="probability", ylim=(-0.02, 1.02))
    axes.set_xlim(0, steps[-1])
    axes.legend()
    return axes


def draw_trace(
    path: "Trace", axes: "Axes | None", log_times: np.ndarray, kept: np.ndarray
) -> "Axes":
    """See `Trace.plot`; the `kept` ones of the rows at these log times."""
    axes, log_times = _axes(axes), log_times[kept]
    rates, policies = np.asarray(path.problem.success_rates), path.policy[kept]
    moved = np.abs(policies - policies[0]).max(axis=1) > STILL
    first = log_times[np.argmax(moved)] if moved.any() else 0.0
    # The base policy is that of all times before.
    x = np.maximum(log_times, first - EARLY) / np.log(10)
    _draw_policies(axes, x, policies, rates)
    axes.plot(x, policies @ rates, color="black", lw=2, ls="--", label="accuracy")
    _draw_attributes(axes, x, policies, path.problem.attributes)
    axes.xaxis.set_major_formatter(lambda value, _: rf"$10^{{{value:g}}}$")
    axes.set(xlabel="time $t$", ylabel="probability", ylim=(-0.02, 1.02))
    axes.set_xlim(x[0], x[-1] if x[-1] > x[0] else x[0] + 1)
    axes.legend()
    return axes


def _axes(axes: "Axes | None") -> "Axes":
    if axes is not None:
        return axes
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def _band(axes, x, values, quantiles, color, name, **style) -> None:
    """The median over the first axis, and a band between two quantiles."""
    low, middle, high = np.quantile(values, [quantiles[0], 0.5, quantiles[1]], axis=0)
    axes.fill_between(x, low, high, color=color, alpha=0.2, lw=0)
    axes.plot(x, middle, color=color, label=name, **style)


def _draw_policies(axes, x, policies, rates) -> None:
    order = np.argsort(-policies.max(axis=0), kind="stable")
    for i, k in enumerate(sorted(order[:MOST_CURVES])):
        label = f"pattern {k} (right: {rates[k]:.3g})"
        axes.plot(x, policies[:, k], color=f"C{i}", label=label)
    for k in order[MOST_CURVES:]:
        axes.plot(x, policies[:, k], color="0.8", lw=0.7, zorder=0)


def _draw_attributes(axes, x, policies, attributes) -> None:
    """Means under the policy; over their range if it is not within 0 to 1."""
    for i, (name, given) in enumerate(attributes.items()):
        values, label = np.asarray(given), f"mean {name}"
        low, high = values.min(), values.max()
        if low < 0 or high > 1:
            values = (values - low) / (high - low if high > low else 1.0)
            label += f", {low:.3g} to {high:.3g}"
        dashes = (0, (1, 1.5) + (4, 1.5) * (i % 4))
        axes.plot(x, policies @ values, color="0.35", ls=dashes, lw=1.6, label=label)


def _mark_events(axes, solution: "Solution", x: np.ndarray) -> None:
    """A line for each event within the window, with its name above."""
    places: list[tuple[float, list[str]]] = []
    for moment in sorted(_on_its_way(solution), key=lambda m: float(m.log_time)):
        place = float(moment.log_time) / np.log(10)
        if not x[0] <= place <= x[-1]:
            continue
        if places and place - places[-1][0] <= TOGETHER * (x[-1] - x[0]):
            places[-1][1].append(moment.name)
        else:
            places.append((place, [moment.name]))
    for place, names in places:
        axes.axvline(place, color="0.5", lw=0.8, ls=":", zorder=0)
        axes.annotate(
            ", ".join(dict.fromkeys(names)),
            (place, 1.01),
            xycoords=axes.get_xaxis_transform(),
            rotation=30,
            fontsize="small",
        )


def _on_its_way(solution: "Solution") -> "list[Moment]":
    """The events without what is extreme only because the run ends there."""
    until = solution.until
    kinds = [*solution.events, *([] if until is None else [until])]
    return [
        moment
        for event, moment in zip(kinds, solution.moments(), strict=True)
        if not (event.scored and float(moment.log_time) >= float(solution.log_time))
    ]


def on_the_way(solution: "Solution", points: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the policy moves: log times `[T]` and policies `[T, K]`.

    As saved, or solved anew. The last time is that at which the run stopped, if it
    stopped within these times: nothing is known of later ones.
    """
    times, policies = _sampled(solution, points)
    end = _end(solution)
    if times[-1] <= end:
        return times, policies
    early = times < end
    if not early.any():  # it stopped at the start
        return times[:1], policies[:1]
    last = np.asarray(solution.policy)[None]
    return np.append(times[early], end), np.concatenate([policies[early], last])


def ends(solution: "Solution", log_times: np.ndarray) -> bool:
    """Whether the run stopped at the last of these times, those of `on_the_way`."""
    return bool(log_times[-1] >= _end(solution))


def _end(solution: "Solution") -> float:
    """The log time at which an event or the limit stopped the run; inf: at rest."""
    stopped = solution.outcome in (Outcome.reached, Outcome.horizon)
    return float(solution.log_time) if stopped else np.inf


def mark_end(axes: "Axes", x: float, y: float, color: Any) -> None:
    """A dot where a curve ends because the run does."""
    axes.plot(x, y, "o", color=color, ms=MARKER, clip_on=False, zorder=5)


def name_ends(axes: "Axes") -> None:
    """What the dots are, for the legend."""
    axes.plot([], [], "o", color="0.4", ms=MARKER, label="the run ends")


def _sampled(solution: "Solution", points: int) -> tuple[np.ndarray, np.ndarray]:
    """Log times that show all that moves, and policies; the last one after the end."""
    saved = solution.saved_policies()
    if saved is not None and len(saved) > 1:
        return solution.saved_log_times, saved
    signal, update, _ = solution.parts()
    dynamics = Dynamics(solution.known_problem(), signal, update)
    first = float(dynamics.log_t_ref) - EARLY
    last = float(solution.log_time)
    if not np.isfinite(last):
        last = solution.max_log_time
    last = max(last, first + 2 * EARLY)
    events = np.array([float(moment.log_time) for moment in _on_its_way(solution)])
    events = events[np.isfinite(events)]
    times = np.linspace(first, last, points)
    policies = _policies(solution, times)
    moved = np.abs(policies - policies[0]).max(axis=1) > STILL
    left = np.abs(policies - policies[-1]).max(axis=1) > STILL
    if moved.any():
        start = times[max(int(np.argmax(moved)) - 1, 0)]
        stop = times[min(points - int(np.argmax(left[::-1])), points - 1)]
        start, stop = min([start, *events]), max([stop, *events])
        times = np.linspace(start - MARGIN, min(stop + MARGIN, _end(solution)), points)
        policies = _policies(solution, times)
    return times, policies


def _policies(solution: "Solution", times: np.ndarray) -> np.ndarray:
    policies = solution.again(times).saved_policies()
    assert policies is not None
    return policies
