"""TRL's `GRPOConfig` as a recipe."""

import math
from typing import Any

from experiments.imports import parts
from experiments.imports.verdicts import Settings
from experiments.text.errors import UserError
from experiments.text.objects import brief

# Losses that differ only in how they weigh tokens of short and long responses.
AVERAGES = ("grpo", "dr_grpo", "dapo", "bnpo", "luspo")
OTHERS = {
    "cispo": "clips the weight and not the objective",
    "sapo": "a smooth gate instead of a clip",
    "vespo": "a smooth weight instead of a clip",
}
SCHEDULES = {
    "linear": "linear",
    "cosine": "cosine",
    "constant": "constant",
    "constant_with_warmup": "constant",
    "cosine_with_min_lr": "cosine",
}
ADAM = "adamw", "adam"


def read(settings: Settings) -> dict[str, Any]:
    """The table of the recipe; notes what became of the settings that matter.

    Raises `UserError` for values that TRL does not take.
    """
    size = settings.whole("num_generations", 2)
    settings.taken("num_generations", "group_size", size)
    estimator = _estimator(settings)
    epochs = settings.whole("num_iterations", 1)
    settings.taken("num_iterations", "surrogate.epochs", epochs)
    surrogate = _surrogate(settings, epochs)
    penalties = _kl(settings, estimator) + _entropy(settings)
    steps = _steps(settings, epochs)
    recipe = {
        "group_size": size,
        "num_steps": steps,
        "learning_rate": _rate(settings),
        "estimator": estimator,
        "surrogate": surrogate,
        "optimizer": _optimizer(settings, steps * epochs),
    }
    return recipe | ({"penalties": penalties} if penalties else {})


def _estimator(settings: Settings) -> Any:
    name, value = "scale_rewards", settings.value("scale_rewards")
    kind = {"true": "group", "false": "none"}.get(str(value).lower(), value)
    if kind == "group":
        settings.taken(name, "estimator", "grpo, spread sample + 1e-4")
        return parts.grpo(1e-4)
    if kind == "none":
        settings.taken(name, "estimator", "group-mean")
        return "group-mean"
    if kind == "batch":
        settings.approximated(
            name,
            "estimator",
            "group-mean",
            "not divided by the spread of the batch, one factor for all questions",
        )
        return "group-mean"
    raise UserError(f"{name} = {brief(value)}; choose from group, batch, none.")


def _surrogate(settings: Settings, epochs: int) -> dict[str, Any]:
    low = settings.number("epsilon", 0)
    settings.taken("epsilon", "surrogate.low", low)
    high = settings.optional_number("epsilon_high", 0)
    if high is None:
        high = low
        settings.taken("epsilon", "surrogate.low, surrogate.high", low)
    else:
        settings.taken("epsilon_high", "surrogate.high", high)
    if settings.optional_number("delta") is not None:
        settings.without("delta", parts.DUAL_CLIP)
    loss = settings.word("loss_type")
    if loss in OTHERS:
        settings.approximated(
            "loss_type",
            "surrogate",
            "clipped",
            f"{OTHERS[loss]}; the same while the policy is the one that was sampled",
        )
        if loss == "cispo" and settings.changed("epsilon_high"):
            high = max(high - 1, 0.0)
            settings.approximated(
                "epsilon_high",
                "surrogate.high",
                high,
                "there the largest ratio itself, here 1 less than it",
            )
    elif loss in AVERAGES:
        settings.without(
            "loss_type", "how tokens of short and long responses weigh; no lengths here"
        )
    else:
        known = ", ".join([*AVERAGES, *OTHERS])
        raise UserError(f"loss_type = {brief(loss)} is unknown; choose from {known}.")
    level = settings.choice(
        "importance_sampling_level", {"token": "token", "sequence": "sequence"}
    )
    if settings.changed("importance_sampling_level"):
        settings.approximated(
            "importance_sampling_level",
            "surrogate",
            "clipped",
            f"the ratio of a pattern, not of a {level}",
        )
    _passes(settings)
    return parts.clipped(low, high, epochs)


def _parts_of_a_batch(settings: Settings) -> float:
    """Updates a pass over a batch; 1 if it cannot be told."""
    if settings.value("steps_per_generation") is None:
        return 1.0
    return settings.whole("steps_per_generation", 1) / settings.whole(
        "gradient_accumulation_steps", 1
    )


def _passes(settings: Settings) -> None:
    updates = _parts_of_a_batch(settings)
    if updates > 1:
        settings.without(
            "steps_per_generation", parts.MINI_BATCHES.format(f"{updates:g}")
        )
    elif settings.changed("steps_per_generation"):
        settings.taken("steps_per_generation", "surrogate", "one update a pass")
    if settings.value("generation_batch_size") is not None:
        settings.without(
            "generation_batch_size",
            "more than one update a pass if it exceeds the batch of all devices, whose "
            "number is not in the file; here one",
        )


def _kl(settings: Settings, estimator: Any) -> list[dict[str, Any]]:
    weight = settings.number("beta", 0)
    if not weight:
        settings.taken("beta", "penalties", "none")
        if settings.flag("sync_ref_model"):
            settings.without("sync_ref_model", "beta is 0: no reference is used")
        return []
    if settings.flag("use_bias_correction_kl"):
        name = estimator if isinstance(estimator, str) else estimator["name"]
        penalty, why = parts.reverse_kl(name, weight)
        settings.approximated(
            "use_bias_correction_kl", "penalties", penalty["name"], why
        )
    else:
        penalty, why = {"name": "kl-loss3", "weight": weight}, parts.BY_PATTERN
        if settings.changed("use_bias_correction_kl"):
            settings.taken("use_bias_correction_kl", "penalties", "kl-loss3")
    settings.approximated(
        "beta", f"penalties.{penalty['name']}", weight, parts.BY_PATTERN
    )
    if settings.flag("sync_ref_model"):
        settings.without("sync_ref_model", parts.FIXED_REFERENCE)
    return [penalty]


def _entropy(settings: Settings) -> list[dict[str, Any]]:
    if settings.flag("use_adaptive_entropy"):
        settings.without(
            "use_adaptive_entropy", "the weight follows the entropy; here it is fixed"
        )
    return parts.entropy(settings, "entropy_coef")


def _steps(settings: Settings, epochs: int) -> int:
    updates = settings.whole("max_steps", -1)
    if updates <= 0:
        settings.without("num_train_epochs", parts.DATA_SET)
        if settings.changed("max_steps"):
            settings.without("max_steps", "not positive: epochs count")
        return parts.STEPS
    a_batch = epochs * max(_parts_of_a_batch(settings), 1)
    steps = math.ceil(updates / a_batch)
    if a_batch == 1:
        settings.taken("max_steps", "num_steps", steps)
    else:
        settings.approximated(
            "max_steps", "num_steps", steps, f"{a_batch:g} updates a batch"
        )
    if settings.changed("num_train_epochs"):
        settings.without("num_train_epochs", "max_steps comes first")
    return steps


def _rate(settings: Settings) -> float:
    rate = settings.number("learning_rate", 0)
    settings.approximated("learning_rate", "learning_rate", rate, parts.RATE)
    return rate


def _optimizer(settings: Settings, total: int) -> dict[str, Any]:
    rise = _schedule(settings, total)
    settings.number("max_grad_norm", 0)
    if settings.number("max_grad_norm"):
        settings.without("max_grad_norm", parts.CLIPPED_LENGTH)
    elif settings.changed("max_grad_norm"):
        settings.taken("max_grad_norm", "optimizer", "gradients are not clipped")
    name = settings.word("optim")
    if name == "sgd":
        settings.taken("optim", "optimizer", "sgd")
        if settings.number("weight_decay", 0):
            settings.without("weight_decay", "sgd decays nothing here")
        for key in ("adam_beta1", "adam_beta2", "adam_epsilon"):
            if settings.changed(key):
                settings.without(key, "only Adam uses it")
        return {"name": "sgd"} | ({"schedule": rise} if rise else {})
    betas = settings.number("adam_beta1", 0, 1), settings.number("adam_beta2", 0, 1)
    epsilon = settings.number("adam_epsilon", 0)
    decay = parts.decayed(settings, "weight_decay")
    if name.startswith(ADAM):
        settings.taken("optim", "optimizer", "adamw" if decay else "adam")
    else:
        settings.without("optim", "adam takes its place, with the same learning rate")
    for key, field, value in (
        ("adam_beta1", "b1", betas[0]),
        ("adam_beta2", "b2", betas[1]),
        ("adam_epsilon", "eps", epsilon),
    ):
        if settings.changed(key):
            settings.taken(key, f"optimizer.{field}", value)
    return parts.adam(betas, epsilon, decay, rise)


def _schedule(settings: Settings, total: int) -> dict[str, Any] | None:
    name = settings.word("lr_scheduler_type")
    floor = 0.0
    if name == "cosine_with_min_lr":
        floor = _floor(settings)
    source = "warmup_steps"
    if settings.changed("warmup_ratio"):
        source = "warmup_ratio"
        share = settings.number(source, 0, 1)
    else:
        steps = settings.number(source, 0)
        updates = settings.whole("max_steps", -1)
        known = updates if updates > 0 else total
        share = steps if steps < 1 else steps / known
    if name == "constant":
        share = 0.0
    kind = SCHEDULES.get(name)
    return parts.scheduled(
        settings, "lr_scheduler_type", kind, (source, share), total, floor
    )


def _floor(settings: Settings) -> float:
    """The least learning rate, as a share of the largest."""
    key = "lr_scheduler_kwargs"
    options = settings.value(key)
    rate = settings.number("learning_rate", 0)
    if isinstance(options, dict):
        inner = Settings(settings.version, options)
        if "min_lr_rate" in options:
            share = inner.number("min_lr_rate", 0, 1)
        elif "min_lr" in options and rate:
            share = inner.number("min_lr", 0, rate) / rate
        else:
            share = math.nan
        if share == share:
            settings.taken(key, "optimizer.schedule", f"down to {share:g}")
            return share
    raise UserError(f"{key} = {brief(options)}; give min_lr or min_lr_rate in it.")
