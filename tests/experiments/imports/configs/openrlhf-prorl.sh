# In the shape of ProRL: names of today, a KL loss, groups that are drawn again.
python3 -m openrlhf.cli.train_ppo_ray \
   --actor.model_name_or_path some/model-1.5b \
   --algo.advantage.estimator reinforce_baseline \
   --algo.dynamic_filtering_enable \
   --algo.dynamic_filtering_range 0.0 1.0 \
   --actor.eps_clip_low_high 0.2 0.27 \
   --algo.kl.use_loss \
   --algo.kl.estimator k2 \
   --algo.kl.init_coef 1e-4 \
   --rollout.batch_size 256 \
   --rollout.n_samples_per_prompt 16 \
   --train.batch_size 256 \
   --train.num_episodes=10 \
   --actor.adam.lr 2e-6 \
   --actor.adam.betas 0.9 0.999 \
   --actor.lr_warmup_ratio 0.05 \
   --reward.stop_properly_penalty_coef 0.0 \
   --vllm.num_engines 8 \
   --ds.zero_stage 3
