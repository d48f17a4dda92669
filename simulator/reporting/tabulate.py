"""Solutions and runs as labelled arrays and tables."""

from typing import TYPE_CHECKING, Any

import numpy as np

from simulator.observables import log_probabilities, probs
from simulator.reporting.display import short
from simulator.reporting.labels import is_event, label

if TYPE_CHECKING:
    import pandas
    import xarray

    from simulator.rollouts.train import Run
    from simulator.solution import Solution

Variables = dict[str, tuple[tuple[str, ...], Any, dict[str, str]]]


def lane_axes(shape: tuple[int, ...]) -> tuple[str, ...]:
    """The names of batch axes: `lane`, or `lane_0`, `lane_1` and so on."""
    if len(shape) == 1:
        return ("lane",)
    return tuple(f"lane_{i}" for i in range(len(shape)))


def of_solution(solution: "Solution") -> "xarray.Dataset":
    """See `Solution.to_xarray`."""
    import xarray

    b = lane_axes(solution.batch_shape)
    log = {"units": "natural logarithm of flow time"}
    variables: Variables = {
        "outcome": (b, solution.outcome_names, {"long_name": "why the run ended"}),
        "log_time": (b, solution.log_time, {"long_name": "end of the run"} | log),
        "log10_time": (b, solution.log10_time, {"long_name": "end of the run"}),
        "num_steps": (b, solution.num_steps, {"long_name": "solver steps"}),
        "log_probs": ((*b, "pattern"), solution.log_probs, {"long_name": "log pi_k"}),
        "accuracy": (b, solution.accuracy, {"long_name": "accuracy at the end"}),
    }
    if solution.problem is not None:
        rates = solution.problem.success_rates
        variables["success_rate"] = ((*b, "pattern"), rates, {})
    event = (*b, "event")
    names, times, at_events = _at_events(solution)
    variables |= {
        "event_log_time": (event, times, {"long_name": "when it happened"} | log),
        "event_happened": (event, times < np.inf, {}),
        "event_log_probs": ((*event, "pattern"), at_events, {"long_name": "log pi_k"}),
    }
    coordinates: dict[str, Any] = {
        "pattern": np.arange(solution.log_probs.shape[-1]),
        "event": np.array(names, dtype=str),
        **_numbered(b, solution.batch_shape),
    }
    if solution.saved is not None:
        saved = np.asarray(solution.saved)
        extra = tuple(f"saved_{i}" for i in range(saved.ndim - len(b) - 1))
        if solution.saved_policies() is not None:
            extra = ("pattern",)
        observe = solution.asked.observe if solution.asked is not None else None
        texts = {"long_name": _observed(observe)}
        variables["saved"] = ((*b, "saved_log_time", *extra), saved, texts)
        coordinates["saved_log_time"] = solution.saved_log_times
    attributes = {"method": solution.method}
    if solution.until is not None:
        attributes["until"] = label(solution.until)
    return _dataset(xarray, variables, coordinates, attributes)


def _at_events(solution: "Solution") -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, log times and log policies of all events, that to stop at last."""
    names = solution.event_names
    times = np.asarray(solution.event_log_times)
    log_probs = np.asarray(solution.event_log_probs)
    until = solution.until
    if until is None or any(
        is_event(event, until) and label(event) == label(until)
        for event in solution.events
    ):
        return names, times, log_probs
    stop = solution.moments()[-1]
    return (
        [*names, stop.name],
        np.concatenate([times, np.asarray(stop.log_time)[..., None]], axis=-1),
        np.concatenate([log_probs, np.asarray(stop.log_probs)[..., None, :]], axis=-2),
    )


def _numbered(axes: tuple[str, ...], shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Coordinates of batch axes: the numbers of the lanes."""
    return {name: np.arange(n) for name, n in zip(axes, shape, strict=True)}


def _observed(observe: Any) -> str:
    """The name of what is saved."""
    if observe is probs:
        return "pi_k"
    if observe is None or observe is log_probabilities:
        return "log pi_k"
    return f"what `{short(observe)}` returned"


def frame_of_solution(solution: "Solution") -> "pandas.DataFrame":
    """See `Solution.to_pandas`."""
    data = of_solution(solution)
    table = data[["outcome", "log10_time", "accuracy", "num_steps"]]
    for i, name in enumerate(data.event.values):
        log10 = data.event_log_time.isel(event=i, drop=True) / np.log(10)
        table[f"{name}_log10_time"] = log10
    return _frame(table)


def of_run(run: "Run") -> "xarray.Dataset":
    """See `Run.to_xarray`."""
    import xarray

    b = (*lane_axes(run.batch_shape), "seed")
    each = (*b, "question")
    variables: Variables = {
        "outcome": (b, run.outcome_names, {"long_name": "why the run ended"}),
        "log_probs": ((*each, "pattern"), run.log_probs, {"long_name": "log pi_k"}),
        "accuracy": (each, run.accuracy, {"long_name": "accuracy at the end"}),
        "groups_used": (b, run.groups.used, {}),
        "groups_idle": (b, run.groups.idle, {}),
        "groups_redrawn": (b, run.groups.redrawn, {}),
    }
    attributes: dict[str, Any] = {"method": "rollouts"}
    if run.until is not None:
        attributes["until"] = name = label(run.until)
        text = {"long_name": f"first step after which {name} held, -1 if none"}
        variables["first_step"] = (b, run.first_step, text)
    variables["success_rate"] = (
        (*b[:-1], "question", "pattern"),
        run.problem.success_rates,
        {},
    )
    saved = run.saved if isinstance(run.saved, dict) else {"saved": run.saved}
    for name, values in saved.items():
        shape = np.shape(values)[len(b) + 1 :]
        extra = tuple(f"{name}_{i}" for i in range(len(shape)))
        if shape == np.shape(run.log_probs)[-2:]:
            extra = ("question", "pattern")
        full = name if name not in variables else f"saved_{name}"
        texts = {"long_name": _observed(run.observe)}
        variables[full] = ((*b, "step", *extra), values, texts)
    coordinates = {
        "pattern": np.arange(run.log_probs.shape[-1]),
        "step": np.asarray(run.saved_steps),
        **_numbered(b, (*run.batch_shape, run.num_seeds)),
    }
    return _dataset(xarray, variables, coordinates, attributes)


def frame_of_run(run: "Run") -> "pandas.DataFrame":
    """See `Run.to_pandas`."""
    data = of_run(run)
    names = ["outcome", "groups_used", "groups_idle", "groups_redrawn"]
    names += ["first_step"] if run.until is not None else []
    table = data[names]
    return _frame(table.assign(accuracy=data.accuracy.mean("question")))


def _dataset(xarray, variables, coordinates, attributes) -> "xarray.Dataset":
    arrays = {
        name: (dims, np.asarray(values), texts)
        for name, (dims, values, texts) in variables.items()
    }
    return xarray.Dataset(arrays, coordinates, attributes)


def _frame(table: "xarray.Dataset") -> "pandas.DataFrame":
    if not table.sizes:
        table = table.expand_dims("lane")
    return table.to_dataframe()[list(table.data_vars)]
