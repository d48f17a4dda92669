"""SFT and RL of many models at once, each lane for its own times."""

from typing import Any

import numpy as np


def policies_at(problem, signal, times, update=None):
    """Log-probabilities at these flow times, `[lanes, times, K]`, the last of all."""
    import simulator as sim

    run: Any = sim.solve(
        problem,
        signal,
        update,
        save_log_times=np.log(times),
        observe=sim.log_probabilities,
        max_log_time=np.log(times[-1]),
    )
    return np.asarray(run.saved)


def expert_iteration(rates, base, rounds):
    """Log-probabilities after so many rounds of SFT on one's own correct samples.

    Each is trained to convergence, so that pi becomes `pi s / (pi . s)`: the natural
    gradient at the rewards log s for a unit of time (statement B7).
    """
    import simulator as sim

    signal = sim.FixedConfidence(np.log(rates))
    return policies_at(
        sim.Problem(rates, base), signal, np.asarray(rounds), sim.NaturalGradient()
    )


def joined(parts):
    """Rates and policies of all parts as one batch, and what takes results apart.

    `parts`: pairs by name, which broadcast to `[lanes, K]`.
    """
    pairs = [np.broadcast_arrays(*pair) for pair in parts.values()]
    ends = np.cumsum([len(rates) for rates, _ in pairs])[:-1]
    rates, policies = (np.concatenate(x) for x in zip(*pairs, strict=True))

    def apart(values):
        return dict(zip(parts, np.split(values, ends), strict=True))

    return rates, policies, apart


def follow(rates, base, data, doses, budgets, restart):
    """Policies after SFT and RL of three rounds, `[n, 6, K]`; controls `[n, 2, K]`.

    From the second round on the data are the model's own correct samples. A round
    begins at the base model again where `restart`, else it goes on. Controls are RL for
    thrice the budget, of the base model and after the first SFT.
    """
    import simulator as sim

    times, some = np.unique([*budgets, *3 * budgets]), np.unique(doses)
    row, triple = np.arange(len(rates)), np.searchsorted(times, 3 * budgets)
    here = start = np.log(base)
    alone = policies_at(sim.Problem(rates, logits=start), sim.Verifiable(), times)
    found, controls = [], [alone[row, triple]]
    for number in range(3):
        if number:
            data = sim.filtered(sim.Problem(rates, logits=here))
        begin = sim.Problem(rates, logits=np.where(restart[:, None], start, here))
        tuned = policies_at(begin, sim.Demonstrations(data), some)
        tuned = tuned[row, np.searchsorted(some, doses)]
        path = policies_at(sim.Problem(rates, logits=tuned), sim.Verifiable(), times)
        here = path[row, np.searchsorted(times, budgets)]
        found += [tuned, here]
        if not number:
            controls.append(path[row, triple])
    return np.exp(np.stack(found, 1)), np.exp(np.stack(controls, 1))
