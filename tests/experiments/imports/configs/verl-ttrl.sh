# In the shape of TTRL: votes of the group as rewards.
N=32
python -m verl.trainer.main_ppo \
  --config-name='ppo_trainer_ttrl.yaml' \
  data.train_batch_size=8 \
  actor_rollout_ref.actor.ppo_mini_batch_size=8 \
  actor_rollout_ref.actor.use_kl_loss=True \
  actor_rollout_ref.actor.kl_loss_coef=0.001 \
  actor_rollout_ref.actor.optim.lr=5e-7 \
  actor_rollout_ref.actor.optim.lr_warmup_steps_ratio=0.03 \
  actor_rollout_ref.actor.optim.warmup_style='cosine' \
  actor_rollout_ref.rollout.n=$N \
  algorithm.kl_ctrl.kl_coef=0.00 \
  algorithm.adv_estimator=grpo \
  +ttrl.enable=True \
  +ttrl.n_votes_per_prompt=64 \
  +ttrl.n_samples_per_prompt=$N \
  trainer.total_epochs=80
