"""Defaults of the trainers' settings, by named version.

Read from the released packages: the dataclass `GRPOConfig` (and `TrainingArguments` of
transformers 5.24.0 below it), the YAML files in `verl/trainer/config`, and the options
of `openrlhf/cli/train_ppo_ray.py`. Only settings that a recipe has a part for, or whose
lack changes the update.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Version:
    """A release of a trainer, with the date of its files and the defaults we use."""

    trainer: str
    number: str
    date: str
    defaults: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.trainer} {self.number} ({self.date})"


TRL = Version(
    "TRL",
    "1.16.0",
    "2026-10-15",
    {
        "num_generations": 8,
        "steps_per_generation": None,
        "generation_batch_size": None,
        "gradient_accumulation_steps": 1,
        "beta": 0.0,
        "use_bias_correction_kl": True,
        "num_iterations": 1,
        "epsilon": 0.2,
        "epsilon_high": None,
        "delta": None,
        "importance_sampling_level": "token",
        "scale_rewards": "group",
        "loss_type": "dapo",
        "sync_ref_model": False,
        "entropy_coef": 0.0,
        "use_adaptive_entropy": False,
        "learning_rate": 1e-6,
        "lr_scheduler_type": "linear",
        "lr_scheduler_kwargs": None,
        "warmup_steps": 0,
        "optim": "adamw_torch_fused",
        "weight_decay": 0.0,
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "adam_epsilon": 1e-8,
        "max_grad_norm": 1.0,
        "max_steps": -1,
        "num_train_epochs": 3.0,
    },
)

_ACTOR = "actor_rollout_ref.actor."
VERL = Version(
    "verl",
    "0.9.1",
    "2026-09-20",
    {
        "algorithm.adv_estimator": "gae",
        "algorithm.norm_adv_by_std_in_grpo": True,
        "algorithm.use_kl_in_reward": False,
        "algorithm.kl_penalty": "kl",
        "algorithm.kl_ctrl.type": "fixed",
        "algorithm.kl_ctrl.kl_coef": 0.001,
        "algorithm.filter_groups.enable": False,
        "algorithm.filter_groups.max_num_gen_batches": 0,
        "actor_rollout_ref.rollout.n": 1,
        "data.train_batch_size": 1024,
        f"{_ACTOR}ppo_mini_batch_size": 256,
        f"{_ACTOR}ppo_epochs": 1,
        f"{_ACTOR}clip_ratio": 0.2,
        f"{_ACTOR}clip_ratio_low": 0.2,
        f"{_ACTOR}clip_ratio_high": 0.2,
        f"{_ACTOR}clip_ratio_c": 3.0,
        f"{_ACTOR}policy_loss.loss_mode": "vanilla",
        f"{_ACTOR}entropy_coeff": 0.0,
        f"{_ACTOR}use_kl_loss": False,
        f"{_ACTOR}kl_loss_coef": 0.001,
        f"{_ACTOR}kl_loss_type": "low_var_kl",
        f"{_ACTOR}optim.optimizer": "AdamW",
        f"{_ACTOR}optim.lr": 1e-6,
        f"{_ACTOR}optim.betas": [0.9, 0.999],
        f"{_ACTOR}optim.weight_decay": 0.01,
        f"{_ACTOR}optim.clip_grad": 1.0,
        f"{_ACTOR}optim.lr_scheduler_type": "constant",
        f"{_ACTOR}optim.lr_warmup_steps": -1,
        f"{_ACTOR}optim.lr_warmup_steps_ratio": 0.0,
        f"{_ACTOR}optim.min_lr_ratio": 0.0,
        "trainer.total_training_steps": None,
        "trainer.total_epochs": 30,
    },
)

_OPENRLHF: dict[str, Any] = {
    "advantage_estimator": "gae",
    "no_advantage_std_norm": False,
    "n_samples_per_prompt": 1,
    "rollout_batch_size": 1024,
    "train_batch_size": 128,
    "max_epochs": 1,
    "num_episodes": 1,
    "eps_clip": 0.2,
    "eps_clip_low_high": None,
    "dual_clip": None,
    "policy_loss_type": "ppo",
    "entropy_loss_coef": None,
    "init_kl_coef": 0.01,
    "kl_target": None,
    "kl_estimator": "k1",
    "use_kl_loss": False,
    "dynamic_filtering": False,
    "dynamic_filtering_reward_range": [0, 1],
    "actor_learning_rate": 1e-6,
    "lr_scheduler": "cosine_with_min_lr",
    "lr_warmup_ratio": 0.03,
    "adam_betas": [0.9, 0.95],
    "l2": 0.0,
    "max_norm": 1.0,
}

# With names like --advantage_estimator.
OPENRLHF_FLAT = Version("OpenRLHF", "0.9.10", "2026-04-04", _OPENRLHF)

# With names like --algo.advantage.estimator: old name -> new name.
OPENRLHF_NAMES = {
    "advantage_estimator": "algo.advantage.estimator",
    "no_advantage_std_norm": "algo.advantage.no_std_norm",
    "n_samples_per_prompt": "rollout.n_samples_per_prompt",
    "rollout_batch_size": "rollout.batch_size",
    "train_batch_size": "train.batch_size",
    "max_epochs": "train.max_epochs",
    "num_episodes": "train.num_episodes",
    "eps_clip": "actor.eps_clip",
    "eps_clip_low_high": "actor.eps_clip_low_high",
    "dual_clip": "actor.dual_clip",
    "policy_loss_type": "actor.policy_loss_type",
    "entropy_loss_coef": "actor.entropy_coef",
    "init_kl_coef": "algo.kl.init_coef",
    "kl_target": "algo.kl.target",
    "kl_estimator": "algo.kl.estimator",
    "use_kl_loss": "algo.kl.use_loss",
    "unbiased_gradient": "algo.kl.unbiased_gradient",
    "dynamic_filtering": "algo.dynamic_filtering_enable",
    "dynamic_filtering_reward_range": "algo.dynamic_filtering_range",
    "optim": "actor.optim",
    "actor_learning_rate": "actor.adam.lr",
    "lr_scheduler": "actor.lr_scheduler",
    "lr_warmup_ratio": "actor.lr_warmup_ratio",
    "min_lr_ratio": "actor.min_lr_ratio",
    "adam_betas": "actor.adam.betas",
    "adam_eps": "actor.adam.eps",
    "l2": "actor.adam.weight_decay",
    "max_norm": "actor.max_norm",
}
OPENRLHF = Version(
    "OpenRLHF",
    "0.11.2",
    "2026-09-14",
    {
        OPENRLHF_NAMES[name]: default
        for name, default in (
            _OPENRLHF
            | {
                "unbiased_gradient": False,
                "optim": "adam",
                "min_lr_ratio": 0.1,
                "adam_eps": 1e-8,
            }
        ).items()
    },
)
