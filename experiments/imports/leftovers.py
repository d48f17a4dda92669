"""Settings that no recipe has a part for: why, by patterns of their names."""

from fnmatch import fnmatchcase

from experiments.imports.verdicts import Settings

GENERATION = "how responses are generated; patterns are drawn from the policy itself"
LENGTH = "responses have no length here"
MODEL = "the network; give the base model to train by --policy and --success-rates"
DATA = "the questions; give them to train by --success-rates or --questions"
REWARD = "what is rewarded; the recipe's feedback is an exact verifier, edit it there"
OUTPUT = "what a run logs and saves"
MACHINE = "how it is computed, not what"
BATCH = "questions a step; here every step uses all of them"
EVALUATION = "evaluation; the accuracy of a policy is exact here"
SEED = "train has --seed"
CRITIC = "the value network; there is none here"
DISCOUNT = "discounts tokens; a pattern is one action"
UNKNOWN = "not known to this import; see whether it changes the update"

# The first pattern that fits: of whole names, of last parts, of whole names.
FIRST = {
    CRITIC: "critic* trainer.critic_warmup value_clip freezing_actor_steps "
    "save_value_network",
    DISCOUNT: "*gamma algorithm.lam *lambd",
}
LAST = {
    LENGTH: "*length* *_len *max_new_tokens *max_len *truncat* *overlong* *max_tokens* "
    "*token_len* loss_agg_mode loss_scale_factor stop_properly*",
    SEED: "seed *_seed full_determinism*",
    EVALUATION: "eval* *_eval val_* test_freq do_eval n_val* metric_for_best* best_*",
    OUTPUT: "log_* logging* logger* save* *_save load_* report_to push_to_hub hub_* "
    "output_dir run_name wandb* overwrite_output_dir project* experiment_name "
    "*_freq resume* default_local_dir ckpt* use_wandb use_tensorboard *checkpoint_path "
    "disable_ds_ckpt num_completions_to_print callbacks benchmarks max_ckpt* "
    "tensorboard* *logs *logs_dir",
    BATCH: "per_device* *micro_batch* micro_* *batch_size* gradient_accumulation_steps "
    "*mini_batch*",
    GENERATION: "temperature top_p top_k min_p repetition_penalty use_vllm vllm* "
    "do_sample generation_kwargs *cache* num_engines enforce_eager *prefill*",
    REWARD: "reward_* *reward_fn* remote_rm_url *reward_clip* cosine_* "
    "normalize_reward agent_func_path label_key reward_pretrain",
    MODEL: "model_name_or_path model_* torch_dtype dtype attn_impl* lora* use_peft "
    "pretrain path trust_remote_code *tokenizer* critic_pretrain flash_attn* *lora*",
    DATA: "dataset* *dataset prompt_data* prompt_* *_files *_files input_key "
    "system_prompt chat_template* apply_chat_template input_template max_samples "
    "filter_* *shuffle* remove_unused_columns *prompt_key",
    MACHINE: "bf16 fp16 tf32 gradient_checkpointing* deepspeed* fsdp* *offload* "
    "*colocate* *num_nodes *num_gpus* nnodes n_gpus* zero_stage adam_offload "
    "packing_samples ddp* dataloader* use_liger* *parallel* *memory* *dynamic_bsz "
    "balance_batch device use_remove_padding enable_gradient* strategy *_sleep "
    "*_backend async* grad_accum* *num_workers torch_compile* max_num_* ring_* "
    "disable_tqdm ref_* enable_ema use_torch_compile param_dtype",
}
WHOLE = {
    EVALUATION: "*.val_kwargs.*",
    REWARD: "reward.* reward_model.* custom_reward_function.*",
    GENERATION: "vllm.* rollout.* actor_rollout_ref.rollout.*",
    OUTPUT: "ckpt.* logger.*",
    DATA: "data.*",
    MACHINE: "ds.* *fsdp_config.* *megatron.* actor_rollout_ref.ref.* ray* "
    "actor_rollout_ref.actor.strategy trainer.* defaults hydra* ref.*",
    MODEL: "actor_rollout_ref.model.*",
}


SHARED = {*FIRST, *LAST, *WHOLE, UNKNOWN}


def reason(name: str) -> str:
    """Why a setting of this name has no counterpart."""
    last = name.rpartition(".")[2]
    for part, patterns in ((name, FIRST), (last, LAST), (name, WHOLE)):
        for why, words in patterns.items():
            if any(fnmatchcase(part, word) for word in words.split()):
                return why
    return UNKNOWN


def note(settings: Settings) -> None:
    """Give every setting that has no verdict its reason."""
    for name in settings.rest():
        settings.without(name, reason(name))
