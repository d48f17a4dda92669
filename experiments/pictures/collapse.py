"""How large may a step be? Learning rate, group size and gap of two patterns.

Two patterns of success rates 1/2 +- gap/2, equally likely at first. Lines: `eta = 4 gap
G`, our expansion for sampled training (formal), see `theory/collapse.py`; and the
step that Suk and Duan's condition allows to the exact gradient, which by C7 loses
no accuracy at any size, see `theory/gradient_gap.py`.
"""

import numpy as np

import theory

SHOWS: tuple[str, ...] = ()

GROUPS = (2, 8, 64)
STEPS = 2000
LOW, HIGH = 0.02, 0.98  # of the better pattern's mass: collapsed, converged
LARGEST = 64.0


def compute(rng, quick, progress):
    """Shares of seeds that converge, stall and collapse, per gap, eta and G."""
    import simulator as sim
    from simulator import rollouts as ro

    seed = int(rng.integers(2**31))
    seeds = 10 if quick else 50
    gaps = np.geomspace(0.01, 1, 8 if quick else 17)
    rates = np.geomspace(0.05, LARGEST, 8 if quick else 22)
    gap, rate = (x.ravel() for x in np.meshgrid(gaps, rates, indexing="ij"))
    success = _rates(gap)[:, None]
    problem = sim.Problem(success, np.full_like(success, 0.5))
    shape = (len(GROUPS), 3, len(gaps), len(rates))
    shares, failed = np.zeros(shape), np.zeros(len(GROUPS))
    for i, group in enumerate(GROUPS):
        recipe = ro.Recipe(
            estimator=ro.RLOO(),
            group_size=group,
            learning_rate=rate,
            num_steps=STEPS // 8 if quick else STEPS,
        )
        run = ro.train(problem, recipe, seed=seed, num_seeds=seeds)
        mass = np.exp(run.log_probs[:, :, 0, 0])
        kinds = (mass > HIGH, (mass <= HIGH) & (mass >= LOW), mass < LOW)
        for j, kind in enumerate(kinds):
            shares[i, j] = kind.mean(axis=1).reshape(shape[2:])
        failed[i] = np.mean(run.outcome_names != "horizon")
        progress(i + 1, len(GROUPS))
    return {
        "gap": gaps,
        "rate": rates,
        "group": GROUPS,
        "predicted": [theory.collapse.collapse_step_size(gaps, g) for g in GROUPS],
        "published": published(gaps),
        "shares": shares,
        "failed": failed,
        "seeds": seeds,
    }


def _rates(gap):
    return np.stack([0.5 + gap / 2, 0.5 - gap / 2], axis=-1)


def published(gap):
    """The learning rate that Suk and Duan's condition allows to the exact gradient."""
    rates, log_policy = _rates(gap), np.log([0.5, 0.5])
    gradient = theory.answers.push(rates, log_policy)
    return theory.gradient_gap.published_step(rates, log_policy, gradient)


def threshold(data, level=0.1):
    """Per group size and gap, the learning rate above which `level` of the seeds fail.

    Interpolated in log eta, from above; NaN where it lies outside the map. With it the
    slope and the factor of a power law in the gap, `(G, [slope, log factor])`.
    """
    log_rate = np.log(data["rate"])
    found = np.full(data["predicted"].shape, np.nan)
    fits = np.zeros((len(found), 2))
    for i, predicted in enumerate(data["predicted"]):
        for j, collapsed in enumerate(data["shares"][i, 2]):
            below = np.flatnonzero(collapsed < level)
            if len(below) and 0 < below[-1] < len(log_rate) - 1:
                k = below[-1]
                part = (level - collapsed[k]) / (collapsed[k + 1] - collapsed[k])
                found[i, j] = log_rate[k] + part * (log_rate[k + 1] - log_rate[k])
        known = np.isfinite(found[i])
        log_gap = np.log(predicted[known])
        fits[i] = np.polyfit(log_gap, found[i, known], 1) if known.sum() > 2 else np.nan
    return np.exp(found), fits


def summary(data) -> str:
    """The measured border as powers of the gap."""
    _, fits = threshold(data)
    powers = ", ".join(
        f"{slope:.2f} at G = {group}"
        for group, (slope, _) in zip(data["group"], fits, strict=True)
    )
    return f"10 % collapse: power of the gap: {powers}"


def draw(data):
    """One panel per group size: the share that collapses, and who is still between."""
    import cmcrameri.cm as cmc
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    from experiments.pictures.style import BLACK, BLUE, ORANGE, legend_below, panels

    figure, axes = panels(len(data["group"]), height=2.7)
    gap, rate = data["gap"], data["rate"]
    found, _ = threshold(data)
    for i, (axis, group) in enumerate(zip(axes[0], data["group"], strict=True)):
        _, between, collapsed = data["shares"][i]
        mesh = axis.pcolormesh(
            gap,
            rate,
            collapsed.T,
            cmap=cmc.grayC_r,
            vmin=0,
            vmax=0.6,
            shading="nearest",
            rasterized=True,
        )
        axis.contourf(
            gap, rate, between.T, levels=[0.5, 1.1], colors="none", hatches=["////"]
        )
        axis.plot(gap, data["predicted"][i], color=ORANGE, lw=1.4)
        axis.plot(gap, data["published"], color=BLUE, lw=1.4, ls="--")
        axis.plot(gap, found[i], ".", color=BLACK, ms=5)
        axis.set(
            xscale="log",
            yscale="log",
            ylim=(rate[0], rate[-1]),
            xlim=(gap[0], gap[-1]),
            xlabel="gap of the success rates",
            title=f"G = {group}",
        )
    axes[0][0].set_ylabel(r"learning rate $\eta$")
    figure.colorbar(mesh, ax=axes[0], label="share that collapses", extend="max")
    handles = [
        Patch(
            fc="white", ec=BLACK, hatch="////", lw=0, label="most are in between yet"
        ),
        Line2D([], [], marker=".", ls="", color=BLACK, label="10 % collapse"),
        Line2D(
            [], [], color=ORANGE, label=r"predicted scale $\eta = 4\,\mathrm{gap}\,G$"
        ),
        Line2D([], [], color=BLUE, ls="--", label="Suk and Duan, exact gradient"),
    ]
    legend_below(figure, 2, handles=handles)
    return figure
