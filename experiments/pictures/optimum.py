"""A1: where the KL-penalised flow comes to rest, against the closed form."""

import numpy as np

SHOWS = ("A1",)

RATES = np.array([0.9, 0.6, 0.1])
BASE = np.array([0.05, 0.70, 0.25])


def compute(rng, quick, progress):
    """Final policies for 20 beta, two signals, two updates, and the closed form."""
    import simulator as sim
    import theory

    del rng, progress
    betas = np.geomspace(0.01, 10, 20)
    data = {"beta": betas, "success_rates": RATES, "base": BASE}
    rewards = {"rlvr": RATES, "rlif": theory.degradation.confidence(RATES)}
    shape = (len(rewards) * len(betas), len(RATES))
    kernel = np.asarray(sim.two_answer_kernel(RATES))
    problem = sim.Problem(
        np.broadcast_to(RATES, shape),
        np.broadcast_to(BASE, shape),
        answer_kernel=np.broadcast_to(kernel, (*shape, 2)),
    )
    rules = {"pg": sim.PolicyGradient, "npg": sim.NaturalGradient}
    if quick:
        del rules["npg"]
    # One beta and one of the two signals for each lane.
    beta = np.tile(betas, len(rewards))
    weights = np.repeat(np.eye(len(rewards)), len(betas), axis=0)
    signal = sim.Mixture((sim.Verifiable(), sim.SelfCertainty()), weights)
    paid = np.repeat([*rewards.values()], len(betas), axis=0)
    predicted = theory.optimum.optimal_policy(paid, np.log(BASE), beta)
    closed = dict(zip(rewards, np.split(predicted, len(rewards)), strict=True))
    fine = np.geomspace(betas[0], betas[-1], 200)
    data["beta_of_lines"] = fine
    for name, pay in rewards.items():
        data[f"{name}_line"] = np.exp(
            theory.optimum.optimal_policy(pay, np.log(BASE), fine)
        )
    for label, rule in rules.items():
        solution = sim.flow(problem, signal, rule(beta=beta))
        settled = solution.outcome_names == "settled"
        if not settled.all():
            raise RuntimeError(f"{label}: {(~settled).sum()} not settled")
        rest = np.split(solution.log_probs, len(rewards))
        for name, log_pi in zip(rewards, rest, strict=True):
            data[f"{name}_{label}"] = np.exp(log_pi)
            error = np.abs(log_pi - closed[name]).max()
            data[f"{name}_{label}_error"] = np.asarray(error)
    return data


def draw(data):
    """Lines: closed form. Markers: the flow at rest."""
    from experiments.pictures.style import CYCLE, panels

    figure, axes = panels(2)
    titles = {"rlvr": "RLVR (pays success)", "rlif": "RLIF (pays certainty)"}
    for axis, (name, title) in zip(axes[0], titles.items(), strict=True):
        for k, color in enumerate(CYCLE[:3]):
            axis.plot(data["beta_of_lines"], data[f"{name}_line"][:, k], color=color)
            axis.plot(
                data["beta"],
                data[f"{name}_pg"][:, k],
                "o",
                color=color,
                markersize=3,
                label=f"pattern {k + 1}: s = {data['success_rates'][k]:g}",
            )
            axis.axhline(data["base"][k], color=color, linewidth=0.5, linestyle=":")
        errors = [data.get(f"{name}_{rule}_error", 0.0) for rule in ("pg", "npg")]
        axis.set(
            xscale="log",
            xlabel=r"weight of KL to the base model, $\beta$",
            ylabel=r"probability at rest, $\pi_k$",
            ylim=(-0.02, 1.02),
            title=f"{title}: largest error in log π = {max(errors):.0e}",
        )
    axes[0][1].legend(
        title="lines: closed form\ndots: flow at rest\ndotted: base",
        loc=(0.01, 0.235),
        alignment="left",
    )
    return figure
