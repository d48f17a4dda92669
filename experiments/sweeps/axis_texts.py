"""Axes in words and symbols, for stores and for the labels of diagrams."""

from typing import TYPE_CHECKING

from experiments.sweeps.axes import Axis

if TYPE_CHECKING:
    from experiments.sweeps.sweep_file import Sweep

# Name and symbol (as TeX, or none) of what is varied most.
AXES = {
    "best_probability": ("base probability of the best pattern", r"\pi_0(*)"),
    "bad_rate": ("success rate of the bad patterns", ""),
    "rival_rate": ("success rate of the rival", "s_{r'}"),
    "bad_probability": ("base probability of all bad patterns", ""),
    "gap": ("success-rate gap", "s_* - s_{r'}"),
    "gamma": ("entanglement", r"\gamma"),
    "patterns": ("number of patterns", "K"),
    "correlation": ("correlation of confidence and success", ""),
    "entropy": (r"entropy of the base model $/ \log K$", ""),
    "fixed-confidence.weight": ("weight of the model's own confidence", ""),
    "overconfidence": ("overconfidence in the rival", ""),
    "false_positive": ("false positive rate", "f_+"),
    "false_negative": ("false negative rate", "f_-"),
    "learning_rate": ("learning rate", r"\eta"),
    "group_size": ("group size", "G"),
    "length": (r"length of SFT (learning rate $\times$ steps)", ""),
    "quality": ("demonstrations of the best pattern", ""),
    "base_model": ("base model", ""),
    "beta": ("weight of the KL penalty", r"\beta"),
}


def of_axis(sweep: "Sweep", axis: Axis) -> dict[str, str]:
    """`long_name`, `symbol` if it has one, `units`, and its name in the sweep file.

    By the name of the axis or an end of it, or what its family says of it.
    """
    texts = {"axis": axis.name}
    if axis.shown.dtype != object:
        texts["units"] = "1"
    known = [name for name in suffixes(axis.name) if name in AXES]
    if known:
        long_name, symbol = AXES[known[0]]
        return texts | {"long_name": long_name} | ({"symbol": symbol} if symbol else {})
    parameter = sweep.family.parameters.get(axis.name.removeprefix("model."))
    text = f"{axis.name}: {parameter.text}" if parameter else axis.name
    return texts | {"long_name": text}


def suffixes(name: str) -> list[str]:
    """The ways to write a name with dots: `a.b.c`, `b.c` and `c`."""
    parts = name.split(".")
    return [".".join(parts[i:]) for i in range(len(parts))]
