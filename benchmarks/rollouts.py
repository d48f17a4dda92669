"""Updates per second of sampled training, against two ways that people write today.

10,000 seeds, K = 8, GRPO, groups of 8 and of 4096. Peers, on the same problem in the
same run: NumPy, vectorised over seeds (`Generator.multinomial`, `.binomial`), and JAX
drawing every rollout. Accuracy: the mean policy of all of them after the same steps.
"""

import json
import os
import platform
import time

os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(len(os.sched_getaffinity(0))))

import jax
import jax.numpy as jnp
import numpy as np

import simulator as sim
from simulator import rollouts as ro
from simulator.rollouts.draws import multinomial

SEEDS, PATTERNS, RATE = 10_000, 8, 0.2
RATES = np.linspace(0.9, 0.2, PATTERNS)
BASE = np.random.default_rng(0).dirichlet(np.ones(PATTERNS))
REPEATS = 3
COUNTED = (256, 4096, 65_536)  # groups that are counted, not drawn one by one


def engine(group, steps):
    recipe = ro.Recipe(group_size=group, learning_rate=RATE, num_steps=steps)
    problem = sim.Problem(RATES, BASE)
    return np.exp(ro.train(problem, recipe, num_seeds=SEEDS).log_probs[:, 0])


def numpy_peer(group, steps):
    rng = np.random.default_rng(1)
    logits = np.tile(np.log(BASE), (SEEDS, 1))
    for _ in range(steps):
        policy = np.exp(logits - logits.max(axis=1, keepdims=True))
        policy /= policy.sum(axis=1, keepdims=True)
        chosen = rng.multinomial(group, policy)
        right = rng.binomial(chosen, RATES)
        mean = right.sum(axis=1, keepdims=True) / group
        spread = np.sqrt(mean * (1 - mean))
        spread[spread == 0] = np.inf
        weights = (right - chosen * mean) / spread / group
        logits += RATE * weights  # the weights sum to 0
    policy = np.exp(logits - logits.max(axis=1, keepdims=True))
    return policy / policy.sum(axis=1, keepdims=True)


@jax.jit
def _one_by_one(key, steps, slots):
    """Every rollout drawn: `slots` has the length of a group."""

    def one(key):
        def step(number, logits):
            first, second = jax.random.split(jax.random.fold_in(key, number))
            chosen = jax.random.categorical(first, logits, shape=slots.shape)
            right = jax.random.bernoulli(second, jnp.asarray(RATES)[chosen])
            reward = right.astype(float)
            spread = reward.std()
            spread = jnp.where(spread > 0, spread, jnp.inf)
            advantage = (reward - reward.mean()) / spread
            pull = jnp.zeros(PATTERNS).at[chosen].add(advantage) / len(slots)
            return logits + RATE * pull

        start = jnp.log(jnp.asarray(BASE))
        return jax.nn.softmax(jax.lax.fori_loop(0, steps, step, start))

    return jax.lax.map(one, jax.random.split(key, SEEDS), batch_size=500)


def jax_peer(group, steps):
    slots = jnp.zeros(group)
    return np.asarray(_one_by_one(jax.random.key(2), steps, slots))


def seconds_per_update(run, group, steps):
    """The best of some runs, warm, per seed and step."""
    started = time.perf_counter()
    run(group, steps)
    compiled = time.perf_counter() - started
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        policy = run(group, steps)
        times.append(time.perf_counter() - started)
    return min(times) / (SEEDS * steps), compiled, policy


def counting(group, width=1024):
    """Seconds per group of counting alone, on one core: no drawing one by one."""
    rows = jnp.asarray(np.concatenate([BASE * RATES, BASE * (1 - RATES)]))
    one = jax.jit(jax.vmap(lambda key: multinomial.by_counts(key, rows, group)))
    keys = jax.random.split(jax.random.key(3), width)
    one(keys).block_until_ready()
    times = []
    for _ in range(10):
        started = time.perf_counter()
        one(keys).block_until_ready()
        times.append(time.perf_counter() - started)
    return min(times) / width


def main():
    jax.config.update("jax_enable_x64", True)
    result = {
        "machine": platform.machine(),
        "devices": [d.device_kind for d in jax.devices()],
        "seeds": SEEDS,
    }
    for group, steps, few in ((8, 200, 200), (4096, 50, 3)):
        rows = {}
        for name, run, number in (
            ("engine", engine, steps),
            ("numpy", numpy_peer, steps),
            ("jax, every rollout", jax_peer, few),
        ):
            seconds, compiled, policy = seconds_per_update(run, group, number)
            error = policy[:, 0].std() / np.sqrt(SEEDS)
            rows[name] = {
                "updates_per_second": 1 / seconds,
                "first_run_s": compiled,
                "steps": number,
                "mean_best": policy[:, 0].mean(),
                "standard_error": error,
            }
        fast = rows["engine"]["updates_per_second"]
        for name in ("numpy", "jax, every rollout"):
            rows[name]["engine_is_faster_by"] = fast / rows[name]["updates_per_second"]
        result[f"G = {group}"] = rows
    updates = [result[f"G = {g}"]["engine"]["updates_per_second"] for g in (8, 4096)]
    result["cost_4096_over_8"] = updates[0] / updates[1]
    counts = {group: counting(group) for group in COUNTED}
    result["counting_alone_s"] = counts
    result["counting_largest_over_smallest"] = counts[COUNTED[-1]] / counts[COUNTED[0]]
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
