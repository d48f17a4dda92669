"""Banks of questions under RLVR, other rules, KL penalties and distillation.

Questions of a cluster share one policy, so that the flow of a cluster is that of one
question with the mean rates (statement C5).
"""

import numpy as np

from experiments.gallery.models.question_banks import accuracies, cluster_means, curve

LARGE, SMALL = 240, 24  # questions of a bank
CLUSTERS = np.array([1, 10, 30, 80, 240])  # of large banks; small ones have 3
ATTEMPTS = 2 ** np.arange(11)
TIMES = np.geomspace(10, 1e3, 8)
BETAS = np.array([0.0, 0.001, 0.01, 0.03])
DOSE, RARE = 160.0, 1e-9  # of SFT; mass of the teacher's patterns in the base
STEPS = 100


def _ended(problem, rule, duration, times=TIMES, **options):
    """Policies at `times` and at the end, `[L, T, K]` and `[L, K]`."""
    import simulator as sim

    found = sim.solve(
        problem,
        *rule,
        max_log_time=np.log(duration),
        save_log_times=np.log(times),
        observe=sim.log_probabilities,
        **options,
    )
    return np.exp(np.asarray(found.saved)), np.exp(np.asarray(found.log_probs))


def _lanes(bank, clusters):
    """One question per cluster, with its mean rates, and the bank's base logits."""
    rates, logits = bank
    means = cluster_means(rates, clusters)
    wide = np.broadcast_to(logits[:, None], means.shape)
    return means.reshape(-1, means.shape[-1]), wide.reshape(-1, means.shape[-1])


def _problem(*lanes):
    import simulator as sim

    rates, logits = map(np.concatenate, zip(*lanes, strict=True))
    return sim.Problem(rates, logits=logits)


def _reheated(policies, base):
    """`pi^(1/tau)` with the mean entropy of the base `[B, K]`, by bisection."""
    import simulator as sim

    with np.errstate(divide="ignore"):
        logs = np.log(policies)
        wanted = np.asarray(sim.entropy(np.log(base)))
    low, high = np.zeros(len(base)), np.full(len(base), 7.0)  # of log tau
    for _ in range(40):
        middle = (low + high) / 2
        hot = sim.Problem(
            np.zeros(logs.shape), logits=logs / np.exp(middle)[:, None, None]
        ).log_policy
        cold = np.mean(sim.entropy(hot), axis=1) < wanted
        low, high = np.where(cold, middle, low), np.where(cold, high, middle)
    return np.exp(hot)


def flows(large, small, data):
    """Plain policy gradient on all banks: gains, crossings, path, reheating."""
    import simulator as sim
    from theory.several_questions import crossover_bound

    (rates, logits), number = large, len(large[0])
    parts = [_lanes(large, c) for c in CLUSTERS] + [_lanes(small, 3)]
    saved, ended = _ended(_problem(*parts), (sim.Verifiable(),), TIMES[-1])
    base_policy = np.exp(sim.Problem(np.zeros(logits.shape), logits=logits).log_policy)
    base = accuracies(rates, base_policy[:, None])
    dense = np.geomspace(1, 1024, 101)
    rows: dict[str, list] = {}
    first = 0
    for c in CLUSTERS:
        lanes = slice(first, first + number * c)
        first = lanes.stop
        policies = ended[lanes].reshape(number, c, -1)
        after = accuracies(rates, policies)
        below = curve(after, dense) < curve(base, dense)
        crossed = np.where(below.any(1), dense[below.argmax(1)], np.inf)
        gains = (curve(after, ATTEMPTS) - curve(base, ATTEMPTS))[:, [0, 8]]
        known = [np.where(base > 0, p, 1.0) for p in (base, after)]
        row = {
            "gain": gains,
            "crossing": crossed,
            "bound": crossover_bound(*known),
            "only": np.mean((after > 1 / 1024) & (base <= 1 / 1024), axis=1),
            "curve": curve(after[0], ATTEMPTS),
        }
        for key, value in row.items():
            rows.setdefault(key, []).append(value)
        if c == 30:
            path = saved[lanes.start : lanes.start + c].swapaxes(0, 1)[None]
            data["path"] = curve(accuracies(rates[:1], path)[0], [1, 256])
            data["path"] = np.vstack([curve(base[:1], [1, 256]), data["path"]])
            edges = [0, 1 / 1024, *np.arange(1, 11) / 10]
            histogram = [np.histogram(p[0], edges)[0] for p in (base, after)]
            data["histogram"] = np.array(histogram) / LARGE
            hot = accuracies(rates, _reheated(policies, base_policy))
            data["reheated"] = np.stack([curve(base, [256]), curve(hot, [256])])[..., 0]
    data |= {key: np.array(value) for key, value in rows.items()}
    data["base_curve"] = curve(base[0], ATTEMPTS)
    return ended[first:].reshape(len(small[0]), 3, -1)


def rules(rates, logits, plain, data):
    """Small banks under other clocks of the same path, and from sampled groups."""
    import simulator as sim
    from simulator import rollouts as ro

    policy = ro.Clusters(np.arange(SMALL) % 3)
    wide = np.broadcast_to(logits[:, None], rates.shape)
    problem = sim.Problem(rates, logits=wide)
    base = curve(np.sum(np.exp(problem.log_policy) * rates, axis=-1), [256])[:, 0]
    after = [accuracies(rates, plain)]
    found = sim.solve_population(
        sim.Population(problem, policy),
        sim.Verifiable(),
        sim.GRPO(8),
        max_log_time=np.log(TIMES[-1]),
    )
    after.append(found.accuracy)
    data["gaps"] = np.stack([base - np.mean(p, axis=-1) for p in after])
    sampled = [
        ro.train(
            problem,
            ro.Recipe(
                policy=policy, group_size=size, num_steps=STEPS, learning_rate=2.0
            ),
        ).accuracy[:, 0]
        for size in (8, 32)
    ]
    data["rollouts"] = np.stack([curve(p, [1, 256]) for p in sampled])


def others(large, small, data):
    """KL penalties, and distillation: of small banks, and of the large one (last)."""
    import simulator as sim

    sets = [(small, 3), ((large[0][:1], large[1][:1]), 30)]
    plain = [_lanes(bank, c) for bank, c in sets]
    taught = [_lanes(_with_teacher(bank), c) for bank, c in sets]
    number = sum(len(lane[0]) for lane in plain)
    cut = 3 * len(small[0])

    def both(policies):
        """Accuracies of the small banks and the large one, from lanes `[..., K]`."""
        parts = policies[:cut].reshape(-1, 3, *policies.shape[1:]), policies[None, cut:]
        lanes = [np.moveaxis(x, 1, -2) for x in parts]
        return [accuracies(b[0], x) for (b, _), x in zip(sets, lanes, strict=True)]

    runs = _problem(*plain * len(BETAS), *taught)
    data_shown = np.array(runs.success_rates)
    data_shown[-number:, :48] = 0
    data_shown[:-number] = np.arange(60) < 48  # not looked at
    data_shown /= data_shown.sum(axis=-1, keepdims=True)
    parts = sim.Verifiable(), sim.Demonstrations(data_shown)
    sft = np.arange(len(data_shown)) >= len(data_shown) - number
    signal = sim.Mixture(parts, np.stack([~sft, sft], axis=-1).astype(float))
    update = sim.PolicyGradient(np.append(np.repeat(BETAS, number), np.zeros(number)))
    times = np.sort([DOSE, *np.geomspace(1, TIMES[-1], 23)])
    saved, _ = _ended(runs, (signal, update), TIMES[-1], times, tolerance=1e-6)
    *trained, shown = np.split(saved, len(BETAS) + 1)
    paths = [[curve(p, [1, 128]) for p in both(each)] for each in trained]
    matched = [_matched(np.array(rows)) for rows in zip(*paths, strict=True)]
    data["matched"] = np.concatenate(matched, axis=1)

    before = both(np.exp(_problem(*plain).log_policy)[:, None])
    after = both(shown[:, [list(times).index(DOSE)]])
    curves = [[curve(p[:, 0], ATTEMPTS) for p in two] for two in (before, after)]
    data["distilled_gain"] = np.concatenate(
        [y - x for x, y in zip(*curves, strict=True)]
    )
    data["distilled_curve"] = curves[1][1][0]
    _, late = _ended(_problem(*taught), (sim.Verifiable(),), 1e10)
    data["teacher_mass"] = late[:, 48:].sum(axis=1)
    rates = np.asarray(runs.success_rates)[-number:]
    data["best"] = np.stack([rates[:, 48:].max(axis=1), rates[:, :48].max(axis=1)])


def _with_teacher(bank):
    rates, logits = bank
    filled = logits.copy()
    total = np.log(np.sum(np.exp(logits[:, :48]), axis=1, keepdims=True))
    filled[:, 48:] = total + np.log(RARE / 12)
    return rates, filled


def _matched(paths):
    """pass@128 `[betas, B]` where pass@1 has made 80 % of the way that all make."""
    start = paths[:, :, 0, 0].max(axis=0)
    target = start + 0.8 * (paths[:, :, -1, 0].min(axis=0) - start)
    return np.array(
        [
            [np.interp(goal, *bank.T) for goal, bank in zip(target, rows, strict=True)]
            for rows in paths
        ]
    )
