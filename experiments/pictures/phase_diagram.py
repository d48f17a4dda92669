"""Base-model quality: rarity of the best pattern against its lead in success rate."""

import numpy as np

SHOWS = ("A3",)

RIVAL, THIRD = 0.5, 0.1  # success rates of the rival and of the third pattern
SHARE = 0.75  # of the rest of the base model that is on the rival


def compute(rng, quick, progress):
    """log10 T0 on a grid; -inf where regime 1 holds from the start."""
    import simulator as sim

    del rng
    n = 24 if quick else 200
    rare = np.geomspace(1e-6, 0.95, n)
    lead = np.geomspace(0.01, 0.5, n)
    grid_rare, grid_lead = np.meshgrid(rare, lead)
    rest = 1 - grid_rare
    policy = np.stack([grid_rare, SHARE * rest, (1 - SHARE) * rest], axis=-1)
    rates = np.stack(
        [RIVAL + grid_lead, np.full_like(rest, RIVAL), np.full_like(rest, THIRD)], -1
    )
    solution = sim.solve(
        sim.Problem(rates, policy),
        sim.Verifiable(),
        until=sim.T0(),
        progress=progress,
    )
    return {
        "rare": rare,
        "lead": lead,
        "log10_t0": solution.log_time / np.log(10),
        "unresolved": np.sum(solution.outcome_names != "reached"),
        "boundary": 1 / (1 + lead / ((1 - SHARE) * (RIVAL - THIRD))),
    }


def draw(data):
    """A heat map and the boundary ACC_0 = s_r' from theory."""
    from cmcrameri import cm

    from experiments.pictures.style import BLACK, COLUMN, panels

    figure, axes = panels(1, width=COLUMN * 1.15, height=2.9)
    axis = axes[0][0]
    values = np.ma.masked_invalid(data["log10_t0"])
    image = axis.pcolormesh(
        data["rare"], data["lead"], values, cmap=cm.batlow, rasterized=True, vmin=0
    )
    axis.plot(data["boundary"], data["lead"], color=BLACK, label=r"$ACC_0 = s_{r'}$")
    axis.set_xlim(data["rare"][0], 1)
    inside = np.sqrt(data["boundary"][-1])  # halfway from the boundary to 1
    axis.annotate(
        "regime 1",
        (inside, data["lead"][-1]),
        xytext=(0, -4),
        textcoords="offset points",
        rotation=90,
        ha="center",
        va="top",
        fontsize=6.5,
    )
    axis.set(
        xscale="log",
        yscale="log",
        xlabel=r"base probability of the best pattern, $\pi_0(*)$",
        ylabel=r"success-rate gap, $s_* - s_{r'}$",
    )
    axis.legend(loc="lower left", handlelength=1.2, labelcolor=BLACK)
    figure.colorbar(image, label=r"$\log_{10}$ transition time $T_0$")
    return figure
