"""verl's configuration of PPO as a recipe."""

from typing import Any

from experiments.imports import parts
from experiments.imports.verdicts import Settings
from experiments.text.errors import UserError, choose_from

A = "actor_rollout_ref.actor."
N = "actor_rollout_ref.rollout.n"
ESTIMATOR = "algorithm.adv_estimator"
BY_STD = "algorithm.norm_adv_by_std_in_grpo"

WHITENED = "not divided by the spread of the batch, one factor for all questions"
# Name of the part, and how it differs, if it does.
ESTIMATORS: dict[str, tuple[str, str]] = {
    "grpo": ("grpo", ""),
    "grpo_vectorized": ("grpo", ""),
    "rloo": ("rloo", ""),
    "rloo_vectorized": ("rloo", ""),
    "reinforce_plus_plus": (
        "reinforce",
        "without the mean and the spread of the batch: the same mean path, more noise "
        "and another clock",
    ),
    "reinforce_plus_plus_baseline": ("group-mean", WHITENED),
    "remax": (
        "reinforce",
        "without the reward of the greedy response as baseline: the same mean, more "
        "noise",
    ),
    "opo": ("group-mean", "the mean is not weighted by lengths, which are equal here"),
}
# Estimators that have no counterpart yet, with the nearest that has one.
MISSING = {
    "gae": ("needs a value network", "rloo"),
    "grpo_passk": ("rewards only the best of a group", "grpo"),
    "gpg": ("rescales by the share of groups with a signal", "grpo"),
    "gdpo": ("normalises several rewards one by one", "grpo"),
    "optimal_token_baseline": ("has a baseline for each token", "rloo"),
    "tir_optimal_token_baseline": ("has a baseline for each token", "rloo"),
}
IN_GROUPS = "grpo", "rloo", "group-mean"
SCHEDULES = {"constant": "constant", "cosine": "cosine"}
KL_1, KL_3 = ("kl", "k1"), ("low_var_kl", "k3")


def missing(name: str, given: str, why: str, nearest: str) -> UserError:
    """The error for an advantage estimator that has no counterpart."""
    return UserError(
        f"{name} = {given} {why}, which the simulator does not have yet; the nearest "
        f"is {nearest}: set {name} to it to import the rest."
    )


def read(settings: Settings) -> dict[str, Any]:
    """The table of the recipe; notes what became of the settings that matter.

    Raises `UserError` for an estimator that the simulator does not have.
    """
    size = settings.whole(N, 1)
    estimator = _estimator(settings, size)
    settings.taken(N, "group_size", size)
    epochs = settings.whole(f"{A}ppo_epochs", 1)
    settings.taken(f"{A}ppo_epochs", "surrogate.epochs", epochs)
    steps = _steps(settings)
    recipe: dict[str, Any] = {
        "group_size": size,
        "num_steps": steps,
        "learning_rate": settings.number(f"{A}optim.lr", 0),
    }
    settings.approximated(
        f"{A}optim.lr", "learning_rate", recipe["learning_rate"], parts.RATE
    )
    if _enabled(settings, "ttrl.enable"):
        recipe["feedback"] = "majority-vote"
    recipe |= _filtered(settings)
    recipe |= {
        "estimator": estimator,
        "surrogate": _surrogate(settings, epochs),
        "optimizer": _optimizer(settings, steps * epochs),
    }
    penalties = _kl(settings) + parts.entropy(settings, f"{A}entropy_coeff")
    return recipe | ({"penalties": penalties} if penalties else {})


def _estimator(settings: Settings, size: int) -> Any:
    given = settings.word(ESTIMATOR)
    if given in MISSING:
        raise missing(ESTIMATOR, given, *MISSING[given])
    if given not in ESTIMATORS:
        advice = choose_from(given, ESTIMATORS)
        raise UserError(f"{ESTIMATOR} = {given!r} is unknown; {advice}.")
    name, why = ESTIMATORS[given]
    part: Any = name
    if name == "grpo":
        if settings.flag(BY_STD):
            part = parts.grpo(1e-6)
            settings.taken(BY_STD, "estimator", "grpo, spread sample + 1e-6")
        else:
            part = name = "group-mean"
            settings.taken(BY_STD, "estimator", "group-mean")
    elif settings.changed(BY_STD):
        settings.without(BY_STD, f"only grpo uses it, not {given}")
    if size < 2 and name in IN_GROUPS:
        raise UserError(
            f"{N} = {size}, and {given} compares the rollouts of a group; give at "
            "least 2."
        )
    if why:
        settings.approximated(ESTIMATOR, "estimator", name, why)
    else:
        settings.taken(ESTIMATOR, "estimator", name)
    return part


def _enabled(settings: Settings, name: str) -> bool:
    """TTRL's switch, which is none of verl's own."""
    if not settings.changed(name) or not settings.flag(name):
        return False
    settings.taken(name, "feedback", "majority-vote")
    votes = "ttrl.n_votes_per_prompt"
    if settings.changed(votes):
        settings.approximated(
            votes, "feedback", "majority-vote", "the rollouts of the group vote"
        )
    trained = "ttrl.n_samples_per_prompt"
    if settings.changed(trained):
        settings.without(trained, "all rollouts that vote are trained on")
    return True


def _steps(settings: Settings) -> int:
    total, epochs = "trainer.total_training_steps", "trainer.total_epochs"
    if settings.value(total) is None:
        settings.without(epochs, parts.DATA_SET)
        return parts.STEPS
    steps = settings.whole(total, 1)
    settings.taken(total, "num_steps", steps)
    if settings.changed(epochs):
        settings.without(epochs, f"{total} comes first")
    return steps


def _filtered(settings: Settings) -> dict[str, Any]:
    switch = "algorithm.filter_groups.enable"
    limit = "algorithm.filter_groups.max_num_gen_batches"
    if not settings.flag(switch):
        if settings.changed(switch):
            settings.taken(switch, "redraws", 0)
        return {}
    batches = settings.whole(limit, -(10**9))
    redraws = min(max(batches - 1, 1), 1000) if batches > 0 else 10
    settings.approximated(
        switch,
        "redraws, replaced",
        f"{redraws}, true",
        "each idle group is drawn again of a random question, not whole batches",
    )
    if batches > 0:
        settings.approximated(
            limit, "redraws", redraws, "draws of a group after the first"
        )
    else:
        settings.approximated(limit, "redraws", redraws, "no limit there")
    metric = "algorithm.filter_groups.metric"
    if settings.changed(metric):
        settings.without(metric, "here a group is idle if its rewards are equal")
    return {"redraws": redraws, "replaced": True}


def _surrogate(settings: Settings, epochs: int) -> dict[str, Any]:
    low = settings.number(f"{A}clip_ratio_low", 0)
    high = settings.number(f"{A}clip_ratio_high", 0)
    settings.taken(f"{A}clip_ratio_low", "surrogate.low", low)
    settings.taken(f"{A}clip_ratio_high", "surrogate.high", high)
    if settings.changed(f"{A}clip_ratio"):
        settings.without(
            f"{A}clip_ratio",
            "clip_ratio_low and clip_ratio_high come first, also as defaults",
        )
    settings.number(f"{A}clip_ratio_c")
    settings.without(f"{A}clip_ratio_c", parts.DUAL_CLIP)
    mode = settings.word(f"{A}policy_loss.loss_mode")
    if mode == "gspo":
        settings.approximated(
            f"{A}policy_loss.loss_mode",
            "surrogate",
            "clipped",
            "the ratio of a pattern, not of a response per token",
        )
    elif mode != "vanilla":
        settings.without(
            f"{A}policy_loss.loss_mode",
            "the clipped surrogate takes its place; the same while the policy is the "
            "one that was sampled",
        )
    elif settings.changed(f"{A}policy_loss.loss_mode"):
        settings.taken(f"{A}policy_loss.loss_mode", "surrogate", "clipped")
    prompts = settings.whole("data.train_batch_size", 1)
    mini = settings.whole(f"{A}ppo_mini_batch_size", 1)
    if prompts > mini:
        settings.without(
            f"{A}ppo_mini_batch_size", parts.MINI_BATCHES.format(f"{prompts / mini:g}")
        )
    else:
        settings.taken(f"{A}ppo_mini_batch_size", "surrogate", "one update a pass")
    return parts.clipped(low, high, epochs)


def _optimizer(settings: Settings, total: int) -> dict[str, Any]:
    kind, steps = f"{A}optim.lr_scheduler_type", f"{A}optim.lr_warmup_steps"
    if settings.changed(f"{A}optim.warmup_style"):  # its old name
        kind = f"{A}optim.warmup_style"
    source, warmup = steps, settings.whole(steps, -1)
    if warmup > 0:
        share = warmup / _steps(settings)
    else:
        source = f"{A}optim.lr_warmup_steps_ratio"
        share = settings.number(source, 0, 1)
        if settings.changed(steps):
            settings.without(steps, f"not positive: {source} counts")
    floor = settings.number(f"{A}optim.min_lr_ratio", 0, 1)
    shape = SCHEDULES.get(settings.word(kind))
    rise = parts.scheduled(settings, kind, shape, (source, share), total, floor)
    if settings.changed(f"{A}optim.min_lr_ratio"):
        settings.taken(f"{A}optim.min_lr_ratio", "optimizer.schedule", floor)
    if settings.number(f"{A}optim.clip_grad", 0):
        settings.without(f"{A}optim.clip_grad", parts.CLIPPED_LENGTH)
    betas = settings.pair(f"{A}optim.betas")
    decay = parts.decayed(settings, f"{A}optim.weight_decay")
    name = settings.word(f"{A}optim.optimizer")
    if name.lower().startswith("adam"):
        settings.taken(f"{A}optim.optimizer", "optimizer", "adamw" if decay else "adam")
    else:
        settings.without(
            f"{A}optim.optimizer", "adam takes its place, with the same learning rate"
        )
    if settings.changed(f"{A}optim.betas"):
        settings.taken(f"{A}optim.betas", "optimizer.b1, optimizer.b2", list(betas))
    return parts.adam(betas, 1e-8, decay, rise)


def _kl(settings: Settings) -> list[dict[str, Any]]:
    return _kl_loss(settings) + _kl_reward(settings)


def _kl_loss(settings: Settings) -> list[dict[str, Any]]:
    switch, coef, kind = f"{A}use_kl_loss", f"{A}kl_loss_coef", f"{A}kl_loss_type"
    if not settings.flag(switch):
        settings.taken(switch, "penalties", "no KL in the loss")
        for name in (coef, kind):
            if settings.changed(name):
                settings.without(name, f"{switch} is false: not used")
        return []
    weight, given = settings.number(coef, 0), settings.word(kind)
    if given not in (*KL_1, *KL_3):
        settings.without(kind, no_kl(given))
        settings.without(coef, "there is no part for its kind: no KL in the recipe")
        return []
    name = "kl-loss3" if given in KL_3 else "kl-loss1"
    settings.taken(switch, "penalties", "KL in the loss")
    settings.taken(kind, "penalties", name, "" if given in KL_3 else NOISE)
    settings.approximated(coef, f"penalties.{name}", weight, parts.BY_PATTERN)
    return [{"name": name, "weight": weight}] if weight else []


NOISE = "its mean gradient is 0, there as here: only noise"


def no_kl(given: str) -> str:
    """Why this estimate of the KL has no counterpart."""
    if given in ("mse", "k2") or given.endswith("+"):
        return "its mean gradient is that of KL(pi || ref); nothing pulls back here"
    return "no part for this estimate of the KL; nothing pulls back here"


def _kl_reward(settings: Settings) -> list[dict[str, Any]]:
    switch, coef = "algorithm.use_kl_in_reward", "algorithm.kl_ctrl.kl_coef"
    kind, control = "algorithm.kl_penalty", "algorithm.kl_ctrl.type"
    if not settings.flag(switch):
        settings.taken(switch, "penalties", "no KL in the reward")
        for name in (coef, kind, control):
            if settings.changed(name):
                settings.without(name, f"{switch} is false: not used")
        return []
    weight, given = settings.number(coef, 0), settings.word(kind)
    if given not in KL_1:
        settings.without(
            kind, "no part for this estimate in the reward; nothing pulls back here"
        )
        settings.without(coef, "there is no part for its kind: no KL in the recipe")
        return []
    settings.taken(switch, "penalties", "kl-reward")
    settings.taken(kind, "penalties", "kl-reward")
    settings.approximated(coef, "penalties.kl-reward", weight, parts.BY_PATTERN)
    if settings.word(control) != "fixed":
        settings.approximated(
            control, "penalties.kl-reward", weight, "the weight stays as it begins"
        )
    return [{"name": "kl-reward", "weight": weight}] if weight else []
