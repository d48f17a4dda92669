"""Tables of a recipe that trainers share: schedules, Adam, KL, clipping."""

from typing import Any

from experiments.imports.verdicts import Settings

# Of a recipe, where the configuration counts epochs of a data set that we do not have.
STEPS = 1000

BY_PATTERN = "KL of patterns, not of tokens; scale it, see experiments/README.md"
RATE = (
    "logits of patterns are no weights of a network: only a unit of time; scale it "
    "with train --learning-rate"
)
DATA_SET = f"the size of the data set is not in the file; {STEPS} steps, or --steps"
CLIPPED_LENGTH = "gradients keep their length: a rare large one counts in full"
DUAL_CLIP = (
    "caps the loss of wrong responses that became likelier; here it is not capped"
)
FIXED_REFERENCE = "the reference stays the base model: the KL goes on to hold it back"
WITH_THE_MEAN = "here times (G - 1)/G, as rewards minus their mean are"
MINI_BATCHES = (
    "each pass makes {} updates on parts of the batch, later ones off policy; here one "
    "on all of it"
)


def schedule(kind: str, warmup: int, total: int, floor: float) -> dict[str, Any] | None:
    """The schedule of Optax, as multiples of the learning rate; None if constant.

    A linear rise from 0 in `warmup` updates, then "constant", or "linear" or "cosine"
    down to `floor` at update `total`.
    """
    if kind == "constant":
        rise = {"name": "warmup_constant_schedule", "warmup_steps": warmup}
        return rise if warmup else None
    if kind == "cosine":
        if not warmup:
            return {"name": "cosine_decay_schedule"} | {
                "decay_steps": total,
                "alpha": floor,
            }
        return {
            "name": "warmup_cosine_decay_schedule",
            "warmup_steps": warmup,
            "decay_steps": total,
            "end_value": floor,
        }
    if not warmup:
        return {
            "name": "linear_schedule",
            "init_value": 1.0,
            "end_value": floor,
            "transition_steps": total,
        }
    # Boundaries multiply what was there before, so that it cannot begin at 0.
    return {
        "name": "piecewise_interpolate_schedule",
        "interpolate_type": "linear",
        "init_value": 1e-9,
        "boundaries_and_scales": {str(warmup): 1e9, str(total): floor},
    }


def scheduled(
    settings: Settings,
    name: str,
    kind: str | None,
    warmup: tuple[str, float],
    total: int,
    floor: float = 0.0,
) -> dict[str, Any] | None:
    """The schedule, with verdicts of its setting and of that of the warm-up.

    `warmup`: the name of that setting, and the share of all updates. `kind` None is one
    that we have no counterpart for. A warm-up that would fill the run is cut to end one
    update before it.
    """
    source, share = warmup
    steps = min(round(share * total), total - 1)
    if kind is None:
        settings.without(name, "constant here, after the warm-up")
    table = schedule(kind or "constant", steps, total, floor)
    if kind is not None:
        to = table["name"] if table else "none"
        settings.taken(name, "optimizer.schedule", to)
    if steps:
        settings.taken(source, "optimizer.schedule", f"{steps} of {total} updates")
    elif settings.changed(source):
        settings.taken(source, "optimizer.schedule", "no warm-up")
    return table


def adam(
    betas: tuple[float, float], epsilon: float, decay: float, rise: dict | None
) -> dict[str, Any]:
    """Adam, decoupled weight decay if there is any, and the schedule."""
    table: dict[str, Any] = {"name": "adamw" if decay else "adam"}
    table |= {"b1": betas[0], "b2": betas[1], "eps": epsilon}
    if decay:
        table["weight_decay"] = decay
    return table | ({"schedule": rise} if rise else {})


def decayed(settings: Settings, name: str) -> float:
    """The weight decay, with its verdict."""
    decay = settings.number(name, 0)
    if decay:
        settings.approximated(
            name,
            "optimizer.weight_decay",
            decay,
            "pulls to the base model, not to weights 0",
        )
    else:
        settings.taken(name, "optimizer.weight_decay", 0.0)
    return decay


def reverse_kl(estimator: str, weight: float) -> tuple[dict[str, Any], str]:
    """A penalty for a loss whose mean gradient is that of KL(pi || reference).

    `kl-reward` has it where nothing divides by the spread; else `kl-loss3` is near.
    """
    if estimator == "grpo":
        return (
            {"name": "kl-loss3", "weight": weight},
            "the mean gradient there is that of KL(pi || ref), here of KL(ref || pi), "
            "equal near ref",
        )
    share = f"; {WITH_THE_MEAN}" if estimator == "group-mean" else ""
    return (
        {"name": "kl-reward", "weight": weight},
        f"the same mean gradient, drawn with other noise{share}",
    )


def entropy(settings: Settings, name: str) -> list[dict[str, Any]]:
    """The entropy bonus, with its verdict."""
    weight = settings.optional_number(name, 0) or 0.0
    if not weight:
        if settings.changed(name):
            settings.taken(name, "penalties", "none")
        return []
    settings.approximated(
        name,
        "penalties.entropy-bonus",
        weight,
        "entropy of patterns, not of tokens",
    )
    return [{"name": "entropy-bonus", "weight": weight}]


def clipped(low: float, high: float, epochs: int) -> dict[str, Any]:
    """PPO's clip."""
    return {"name": "clipped", "low": low, "high": high, "epochs": epochs}


def grpo(epsilon: float) -> dict[str, Any]:
    """GRPO as trainers compute it: the sample's spread plus a small number."""
    return {"name": "grpo", "spread": "sample", "epsilon": epsilon}
