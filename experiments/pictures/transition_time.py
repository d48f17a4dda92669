"""T0 against the quality of the base model: a power of its rarity, at fixed rates."""

from typing import Any

import numpy as np

SHOWS = ("A3",)

# T0 is about 1 at these base probabilities of the best pattern, for K = 3, 4, 5.
COMMON = {3: 0.26, 4: 0.23, 5: 0.2175}
RATES = {3: (0.9, 0.6, 0.1), 4: (0.9, 0.6, 0.3, 0.1), 5: (0.9, 0.6, 0.4, 0.2, 0.1)}


def _starts(K, rare):
    """pi_0(*) = rare, a quarter of the rest on the worse patterns, equally."""
    rest = 1 - rare
    worse = [0.25 * rest / (K - 2)] * (K - 2)
    return np.stack([rare, 0.75 * rest, *worse], axis=-1)


def _padded(rates, policy):
    """Problems of fewer patterns among those of the most: `[points, 5]` each."""
    spare = max(RATES) - policy.shape[-1]
    rates = np.broadcast_to(rates, policy.shape)
    return [np.pad(part, ((0, 0), (0, spare))) for part in (rates, policy)]


def compute(rng, quick, progress):
    """Measured T0 with its bounds for K = 3, 4, 5, and two families in gamma."""
    import simulator as sim
    import theory

    del rng
    points = 8 if quick else 33
    data: dict[str, Any] = {"patterns": list(RATES)}
    problems: dict[str, list[np.ndarray]] = {}
    for K, rates in RATES.items():
        data[f"rare_{K}"] = rare = np.geomspace(COMMON[K], 1e-8, points)
        policy = _starts(K, rare)
        law = theory.entanglement.transition_bounds(
            np.broadcast_to(rates, policy.shape), np.log(policy), event="t0"
        )
        data[f"lower_{K}"], data[f"upper_{K}"] = law.lower, law.upper
        problems[f"log10_t0_{K}"] = _padded(rates, policy)
    e = np.geomspace(0.1, 1e-8, points)
    pair, policy = theory.entanglement.counterexample(e)
    data["fixed_e"] = e
    data["fixed_gamma"] = theory.entanglement.gamma(pair, np.log(policy))
    problems["fixed_log10_t0"] = _padded(pair, policy)
    policy = _starts(3, np.geomspace(COMMON[3], 1e-5, points))
    growing = theory.entanglement.gamma(
        np.broadcast_to(RATES[3], policy.shape), np.log(policy)
    )
    data["growing_gamma"] = growing
    problems["growing_log10_t0"] = _padded(RATES[3], policy)
    solution = sim.solve(
        sim.Problem(*np.stack(list(problems.values()), axis=1)),
        sim.Verifiable(),
        until=sim.T0(),
        max_log_time=500.0,
        progress=progress,
    )
    measured = solution.log_time / np.log(10)
    return data | dict(zip(problems, measured, strict=True))


def draw(data):
    """Left: the law in 1/pi_0(*). Right: against gamma."""
    from experiments.pictures.style import BLACK, CYCLE, panels

    figure, axes = panels(2)
    left, right = axes[0]
    for K, color in zip(data["patterns"], CYCLE, strict=False):
        inverse = 1 / data[f"rare_{K}"]
        t0 = data[f"log10_t0_{K}"]
        slope = (t0[-1] - t0[-3]) / (np.log10(inverse[-1]) - np.log10(inverse[-3]))
        left.plot(
            inverse, t0, "o", color=color, ms=2.5, label=f"K = {K}: slope {slope:.2f}"
        )
        lower, upper = np.log10(data[f"lower_{K}"]), np.log10(data[f"upper_{K}"])
        left.fill_between(inverse, lower, upper, color=color, alpha=0.35, lw=0)
        left.plot(inverse, upper, color=color, linewidth=0.5)
    left.set(
        xscale="log",
        xlabel=r"$1/\pi_0(*)$",
        ylabel=r"$\log_{10} T_0$",
        title=r"dots: measured; bands: $L+I \leq T_0 \leq L+2I$",
    )
    left.legend()
    gamma = data["growing_gamma"]
    tail = slice(-3, None)
    slope = np.polyfit(np.log10(gamma[tail]), data["growing_log10_t0"][tail], 1)[0]
    right.plot(
        gamma,
        data["growing_log10_t0"],
        "o-",
        ms=2.5,
        label=rf"growing $\gamma$: slope {slope:.2f}",
    )
    right.plot(
        data["fixed_gamma"],
        data["fixed_log10_t0"],
        "s",
        ms=2.5,
        label=r"$\gamma = 6$ fixed, falling $\pi_0(*)$",
    )
    shown = np.geomspace(1.5, 30, 60)
    right.plot(
        shown,
        shown * np.log10(shown),
        "--",
        color=BLACK,
        label=r"$\gamma^{\gamma}$, part of the reported order",
    )
    right.set(
        xscale="log",
        xlabel=r"$\gamma = \sum_{k \neq r'} \pi_0(k) / \pi_0(*)$",
        ylabel=r"$\log_{10} T_0$",
        ylim=(0, 20),
        title=r"no function of $\gamma$ alone bounds $T_0$",
    )
    right.legend()
    return figure
