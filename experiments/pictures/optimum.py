"""A1: where the KL-penalised flow comes to rest, against the closed form."""

import numpy as np

RATES = np.array([0.9, 0.6, 0.1])
BASE = np.array([0.05, 0.70, 0.25])


def compute(rng, quick, progress):
    """Final policies for 20 beta, two signals, two updates, and the closed form."""
    import simulator as sim
    import theory

    del rng, progress
    betas = np.geomspace(0.1, 10, 20)
    data = {"beta": betas, "success_rates": RATES, "base": BASE}
    shape = (len(betas), len(RATES))
    kernel = np.asarray(sim.two_answer_kernel(RATES))
    problem = sim.Problem(
        np.broadcast_to(RATES, shape),
        np.broadcast_to(BASE, shape),
        answer_kernel=np.broadcast_to(kernel, (*shape, 2)),
    )
    rewards = {"rlvr": RATES, "rlif": theory.confidence(RATES)}
    rules = {"pg": sim.PolicyGradient, "npg": sim.NaturalGradient}
    if quick:
        del rules["npg"]
    signals = {"rlvr": sim.Verifiable(), "rlif": sim.SelfCertainty()}
    for name, signal in signals.items():
        predicted = theory.optimal_policy(
            np.broadcast_to(rewards[name], shape), np.log(BASE), betas
        )
        data[f"{name}_predicted"] = np.exp(predicted)
        for label, rule in rules.items():
            solution = sim.flow(problem, signal, rule(beta=betas))
            settled = sim.outcome_names(solution.outcome) == "settled"
            if not settled.all():
                raise RuntimeError(f"{name}, {label}: {(~settled).sum()} not settled")
            data[f"{name}_{label}"] = np.exp(solution.log_probs)
            error = np.abs(solution.log_probs - predicted).max()
            data[f"{name}_{label}_error"] = np.asarray(error)
    return data


def draw(data):
    """Lines: closed form. Markers: the flow at rest."""
    from experiments.style import CYCLE, panels

    figure, axes = panels(2)
    titles = {"rlvr": "RLVR (pays success)", "rlif": "RLIF (pays certainty)"}
    for axis, (name, title) in zip(axes[0], titles.items(), strict=True):
        for k, color in enumerate(CYCLE[:3]):
            axis.plot(data["beta"], data[f"{name}_predicted"][:, k], color=color)
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
    axes[0][0].legend(title="lines: closed form; dots: flow; dotted: base")
    return figure
