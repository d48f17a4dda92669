set -x
read -r -d '' training_commands <<EOF
openrlhf.cli.train_ppo_ray \
   --pretrain some/model-8b \
   --remote_rm_url reward.py \
   --micro_train_batch_size 8 \
   --train_batch_size 1024 \
   --rollout_batch_size 1024 \
   --n_samples_per_prompt 1 \
   --max_epochs 1 \
   --num_episodes 20 \
   --prompt_max_len 1024 \
   --generate_max_len 3000 \
   --zero_stage 3 \
   --bf16 \
   --actor_learning_rate 5e-7 \
   --lr_scheduler constant \
   --init_kl_coef 1e-3 \
   --gamma 1.0 \
   --advantage_estimator reinforce \
   --normalize_reward \
   --entropy_loss_coef 0.001 \
   --packing_samples
EOF
