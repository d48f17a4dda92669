"""OpenRLHF's options as a recipe, by their names of before 0.11 or of today."""

from typing import Any

from experiments.imports import parts
from experiments.imports.verdicts import Settings
from experiments.imports.verl import MISSING, NOISE, WHITENED, missing, no_kl
from experiments.imports.versions import OPENRLHF, OPENRLHF_NAMES
from experiments.text.errors import UserError

WHITENED_ALL = (
    "without the mean and the spread of the batch: the same mean path, more noise and "
    "another clock"
)
SCHEDULES = {
    "cosine_with_min_lr": "cosine",
    "cosine": "cosine",
    "linear": "linear",
    "constant": "constant",
    "constant_with_warmup": "constant",
}
IN_GROUPS = "rloo", "group_norm", "reinforce_baseline", "dr_grpo"


class Options(Settings):
    """Settings by their old names, whichever are given."""

    @property
    def _new(self) -> bool:
        return self.version is OPENRLHF

    def name(self, old: str) -> str:
        """The setting's name in this file."""
        return OPENRLHF_NAMES[old] if self._new else old

    def has(self, old: str) -> bool:
        """Whether this version has the setting."""
        return self.name(old) in self.version.defaults


def read(settings: Options) -> dict[str, Any]:
    """The table of the recipe; notes what became of the settings that matter.

    Raises `UserError` for an estimator that the simulator does not have.
    """
    name = settings.name
    size = settings.whole(name("n_samples_per_prompt"), 1)
    estimator = _estimator(settings, size)
    settings.taken(name("n_samples_per_prompt"), "group_size", size)
    epochs = settings.whole(name("max_epochs"), 1)
    settings.taken(name("max_epochs"), "surrogate.epochs", epochs)
    settings.without(name("num_episodes"), parts.DATA_SET)
    rate = settings.number(name("actor_learning_rate"), 0)
    settings.approximated(
        name("actor_learning_rate"), "learning_rate", rate, parts.RATE
    )
    recipe: dict[str, Any] = {
        "group_size": size,
        "num_steps": parts.STEPS,
        "learning_rate": rate,
        **_filtered(settings),
        "estimator": estimator,
        "surrogate": _surrogate(settings, epochs, size),
        "optimizer": _optimizer(settings, parts.STEPS * epochs),
    }
    penalties = _kl(settings, estimator) + parts.entropy(
        settings, name("entropy_loss_coef")
    )
    return recipe | ({"penalties": penalties} if penalties else {})


def _estimator(settings: Options, size: int) -> Any:
    name, no_std = settings.name("advantage_estimator"), "no_advantage_std_norm"
    bare = settings.flag(settings.name(no_std))
    parts_of = {
        "rloo": ("rloo", ""),
        "group_norm": (parts.grpo(1e-9), ""),
        "dr_grpo": ("group-mean", ""),
        "reinforce_baseline": ("group-mean", "" if bare else WHITENED),
        "reinforce": ("reinforce", WHITENED_ALL),
    }
    if settings.version is OPENRLHF:
        why = "without the mean of the batch as baseline: the same mean, more noise"
        parts_of["flash_reinforce"] = ("reinforce", why)
    given = settings.word(name)
    if given == "gae":
        raise missing(name, given, *MISSING["gae"])
    part, why = settings.choice(name, parts_of)
    if size < 2 and given in IN_GROUPS:
        raise UserError(
            f"{settings.name('n_samples_per_prompt')} = {size}, and {given} compares "
            "the rollouts of a group; give at least 2."
        )
    to = part if isinstance(part, str) else "grpo, spread sample + 1e-9"
    if why:
        settings.approximated(name, "estimator", to, why)
    else:
        settings.taken(name, "estimator", to)
    if settings.changed(settings.name(no_std)):
        if given == "reinforce_baseline":
            to = "not divided" if bare else "divided by the spread of the batch"
            settings.taken(settings.name(no_std), "estimator", to)
        else:
            settings.without(settings.name(no_std), "says how the batch is normalised")
    return part


def _filtered(settings: Options) -> dict[str, Any]:
    switch = settings.name("dynamic_filtering")
    limits = settings.name("dynamic_filtering_reward_range")
    if not settings.flag(switch):
        return {}
    settings.approximated(
        switch,
        "redraws, replaced",
        "10, true",
        "each idle group is drawn again of a random question; no limit there",
    )
    if settings.pair(limits) == (0.0, 1.0):
        settings.taken(limits, "redraws", 10)
    else:
        settings.without(limits, "here only groups whose rewards are equal are redrawn")
    return {"redraws": 10, "replaced": True}


def _surrogate(settings: Options, epochs: int, size: int) -> dict[str, Any]:
    one, two = settings.name("eps_clip"), settings.name("eps_clip_low_high")
    low = high = settings.number(one, 0)
    if settings.value(two) is None:
        settings.taken(one, "surrogate.low, surrogate.high", low)
    else:
        low, high = settings.pair(two)
        settings.taken(two, "surrogate.low, surrogate.high", [low, high])
        if settings.changed(one):
            settings.without(one, f"{two} comes first")
    if settings.optional_number(settings.name("dual_clip")) is not None:
        settings.without(settings.name("dual_clip"), parts.DUAL_CLIP)
    loss = settings.name("policy_loss_type")
    if settings.choice(loss, {"ppo": False, "gspo": True}):
        settings.approximated(
            loss,
            "surrogate",
            "clipped",
            "the ratio of a pattern, not of a response per token",
        )
    elif settings.changed(loss):
        settings.taken(loss, "surrogate", "clipped")
    rollouts = settings.whole(settings.name("rollout_batch_size"), 1) * size
    mini = settings.whole(settings.name("train_batch_size"), 1)
    if rollouts > mini:
        settings.without(
            settings.name("train_batch_size"),
            parts.MINI_BATCHES.format(f"{rollouts / mini:g}"),
        )
    else:
        settings.taken(
            settings.name("train_batch_size"), "surrogate", "one update a pass"
        )
    return parts.clipped(low, high, epochs)


def _optimizer(settings: Options, total: int) -> dict[str, Any]:
    kind, warmup = settings.name("lr_scheduler"), settings.name("lr_warmup_ratio")
    floor = 0.0
    if settings.word(kind) == "cosine_with_min_lr":
        floor = 0.1  # fixed before there was a setting
        if settings.has("min_lr_ratio"):
            floor = settings.number(settings.name("min_lr_ratio"), 0, 1)
            settings.taken(
                settings.name("min_lr_ratio"),
                "optimizer.schedule",
                f"down to {floor:g}",
            )
    share = settings.number(warmup, 0, 1)
    if settings.word(kind) == "constant":
        share = 0.0
    shape = SCHEDULES.get(settings.word(kind))
    rise = parts.scheduled(settings, kind, shape, (warmup, share), total, floor)
    if settings.number(settings.name("max_norm"), 0):
        settings.without(settings.name("max_norm"), parts.CLIPPED_LENGTH)
    betas = settings.pair(settings.name("adam_betas"))
    settings.taken(
        settings.name("adam_betas"), "optimizer.b1, optimizer.b2", list(betas)
    )
    epsilon = 1e-8
    if settings.has("adam_eps"):
        epsilon = settings.number(settings.name("adam_eps"), 0)
        if settings.changed(settings.name("adam_eps")):
            settings.taken(settings.name("adam_eps"), "optimizer.eps", epsilon)
    if settings.has("optim") and settings.choice(
        settings.name("optim"), {"adam": False, "muon": True}
    ):
        settings.without(
            settings.name("optim"), "adam takes its place, with the rate of Adam"
        )
    decay = parts.decayed(settings, settings.name("l2"))
    return parts.adam(betas, epsilon, decay, rise)


def _kl(settings: Options, estimator: Any) -> list[dict[str, Any]]:
    coef, kind = settings.name("init_kl_coef"), settings.name("kl_estimator")
    in_loss = settings.name("use_kl_loss")
    weight = settings.number(coef, 0)
    given = settings.choice(kind, {k: k for k in ("k1", "k2", "k3")})
    loss = settings.flag(in_loss)
    if not weight:
        settings.taken(coef, "penalties", "none")
        for name in (kind, in_loss):
            if settings.changed(name):
                settings.without(name, f"{coef} is 0: not used")
        return []
    name = estimator if isinstance(estimator, str) else estimator["name"]
    unbiased = "unbiased_gradient"
    if loss and settings.has(unbiased) and settings.flag(settings.name(unbiased)):
        penalty, why = parts.reverse_kl(name, weight)
        settings.approximated(
            settings.name(unbiased), "penalties", penalty["name"], why
        )
        settings.without(kind, "the gradient is the same for all of them")
    elif loss and given == "k2":
        penalty = {}
        settings.without(kind, no_kl("k2"))
    elif loss:
        penalty = {"name": "kl-loss1" if given == "k1" else "kl-loss3"}
        settings.taken(
            kind, "penalties", penalty["name"], NOISE if given == "k1" else ""
        )
    elif given == "k1":
        penalty = {"name": "kl-reward"}
        other = {
            "grpo": "here divided by the spread of the group, as the reward is",
            "group-mean": parts.WITH_THE_MEAN,
        }.get(name)
        if other:
            settings.approximated(kind, "penalties", "kl-reward", other)
        else:
            settings.taken(kind, "penalties", "kl-reward")
    else:
        penalty = {}
        settings.without(
            kind, "no part for this estimate in the reward; nothing pulls back here"
        )
    where = "loss" if loss else "reward"
    if not penalty:
        settings.without(coef, "there is no part for its kind: no KL in the recipe")
        if settings.changed(in_loss):
            settings.without(in_loss, "there is no part for its kind of KL")
        return []
    settings.taken(in_loss, "penalties", f"KL in the {where}")
    settings.approximated(
        coef, f"penalties.{penalty['name']}", weight, parts.BY_PATTERN
    )
    if settings.optional_number(settings.name("kl_target")) is not None:
        settings.approximated(
            settings.name("kl_target"),
            f"penalties.{penalty['name']}",
            weight,
            "the weight stays as it begins",
        )
    return [penalty | {"weight": weight}]
