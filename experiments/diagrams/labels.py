"""Labels of axes and colours."""

from typing import TYPE_CHECKING

from experiments.sweeps import layout, observables
from experiments.sweeps.axes import Axis

if TYPE_CHECKING:
    from experiments.sweeps.sweep_file import Sweep

AXES = {
    "best_probability": r"base probability of the best pattern, $\pi_0(*)$",
    "bad_rate": "success rate of the bad patterns",
    "rival_rate": "success rate of the rival, $s_{r'}$",
    "bad_probability": r"base probability of all bad patterns",
    "gap": r"success-rate gap, $s_* - s_{r'}$",
    "gamma": r"entanglement $\gamma$",
    "patterns": r"number of patterns, $K$",
    "correlation": "correlation of confidence and success",
    "entropy": r"entropy of the base model $/ \log K$",
    "fixed-confidence.weight": "weight of the model's own confidence",
    "overconfidence": "overconfidence in the rival",
    "false_positive": r"false positive rate, $f_+$",
    "false_negative": r"false negative rate, $f_-$",
    "learning_rate": r"learning rate, $\eta$",
    "group_size": r"group size, $G$",
    "length": r"length of SFT (learning rate $\times$ steps)",
    "quality": "demonstrations of the best pattern",
    "beta": r"weight of the KL penalty, $\beta$",
}
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
    """By the name of the axis or an end of it, or what its family says of it."""
    known = [name for name in suffixes(axis.name) if name in AXES]
    if known:
        return AXES[known[0]]
    parameter = sweep.family.parameters.get(axis.name.removeprefix("model."))
    return f"{axis.name}: {parameter.text}" if parameter else axis.name


def of_value(sweep: "Sweep", name: str) -> str:
    """By name, or as the store describes it."""
    if name in VALUES:
        return VALUES[name]
    variable = layout.variables(sweep).get(name)
    return name if variable is None else str(variable.attributes["long_name"])


def base_of(name: str) -> str:
    """The observable that a value is of, without the statistic or the time."""
    return name if observables.find(name) else name.rpartition("_")[0]


def suffixes(name: str) -> list[str]:
    """The ways to write a name with dots: `a.b.c`, `b.c` and `c`."""
    parts = name.split(".")
    return [".".join(parts[i:]) for i in range(len(parts))]
