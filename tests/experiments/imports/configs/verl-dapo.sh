#!/usr/bin/env bash
# In the shape of the recipe of DAPO: settings as variables of the shell.
project_name='DAPO'
adv_estimator=grpo

use_kl_in_reward=False
kl_coef=0.0
use_kl_loss=False
kl_loss_coef=0.0

clip_ratio_low=0.2
clip_ratio_high=0.28

max_response_length=$((1024 * 20))
enable_filter_groups=True
max_num_gen_batches=10
train_prompt_bsz=512
n_resp_per_prompt=16
train_prompt_mini_bsz=32
PERF=(
    actor_rollout_ref.actor.use_dynamic_bsz=True
    actor_rollout_ref.actor.optim.lr_warmup_steps=10
)

ray job submit --runtime-env="${RUNTIME_ENV}" -- python3 -m recipe.dapo.main_dapo \
    data.max_response_length=${max_response_length} \
    data.train_batch_size=${train_prompt_bsz} \
    actor_rollout_ref.rollout.n=${n_resp_per_prompt} \
    algorithm.adv_estimator=${adv_estimator} \
    algorithm.use_kl_in_reward=${use_kl_in_reward} \
    algorithm.kl_ctrl.kl_coef=${kl_coef} \
    actor_rollout_ref.actor.use_kl_loss=${use_kl_loss} \
    actor_rollout_ref.actor.kl_loss_coef=${kl_loss_coef} \
    actor_rollout_ref.actor.clip_ratio_low=${clip_ratio_low} \
    actor_rollout_ref.actor.clip_ratio_high=${clip_ratio_high} \
    actor_rollout_ref.actor.clip_ratio_c=10.0 \
    algorithm.filter_groups.enable=${enable_filter_groups} \
    algorithm.filter_groups.max_num_gen_batches=${max_num_gen_batches} \
    algorithm.filter_groups.metric=acc \
    actor_rollout_ref.actor.optim.lr=1e-6 \
    actor_rollout_ref.actor.optim.weight_decay=0.1 \
    actor_rollout_ref.actor.ppo_mini_batch_size=${train_prompt_mini_bsz} \
    actor_rollout_ref.actor.loss_agg_mode=token-mean \
    "${PERF[@]}" \
    reward_model.overlong_buffer.enable=True \
    trainer.project_name="${project_name}" \
    trainer.total_training_steps=${STEPS:-200} \
    2>&1 | tee dapo.log
