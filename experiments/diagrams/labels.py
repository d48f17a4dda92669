"""Labels of axes and colours."""

from typing import TYPE_CHECKING

from experiments.sweeps import axis_texts, layout, observables
from experiments.sweeps.axes import Axis

if TYPE_CHECKING:
    from experiments.sweeps.sweep_file import Sweep

VALUES = {
    "log10_t0": r"$\log_{10}$ transition time $T_0$",
    "crossing_degree": r"$-d \log T_\times / d \log \pi_0(*)$, $T_\times$: crossing",
    "t0_degree": r"$-d \log T_0 / d \log \pi_0(*)$",
    "peak_gain_mean": "mean gain at the peak",
    "log10_peak_time_q50": r"median $\log_{10}$ time of the peak",
    "gain_mean": "mean final change of accuracy",
    "gain": "final change of accuracy",
    "accuracy": "accuracy at the end",
    "optimal_probability_mean": r"mean final $\pi_*$",
    "log10_total_time": r"$\log_{10}$ total time to the goal",
}


def of_axis(sweep: "Sweep", axis: Axis) -> str:
    """Its name in words, and its symbol."""
    known = axis_texts.of_axis(sweep, axis)
    symbol = known.get("symbol")
    return f"{known['long_name']}, ${symbol}$" if symbol else known["long_name"]


def of_place(sweep: "Sweep", axis: Axis, shown: str | float) -> str:
    """One value of an axis: its name, or its symbol and the number."""
    if isinstance(shown, str):
        return shown
    known = axis_texts.of_axis(sweep, axis)
    name = f"${known['symbol']}$" if "symbol" in known else axis.name
    return f"{name} = {shown:g}"


def of_value(sweep: "Sweep", name: str) -> str:
    """By name, or as the store describes it."""
    if name in VALUES:
        return VALUES[name]
    variable = layout.variables(sweep).get(name)
    return name if variable is None else str(variable.attributes["long_name"])


def base_of(name: str) -> str:
    """The observable that a value is of, without the statistic or the time."""
    return name if observables.find(name) else name.rpartition("_")[0]
