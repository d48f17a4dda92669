"""A verifier that errs: the model's map of final accuracy, and measured runs.

See `experiments/noise_fit.py` for the model, its three free numbers and the procedure.
"""

import numpy as np

from experiments import noise_fit

SHOWS: tuple[str, ...] = ()

GROUPS = (8, 32)
STEPS = 200  # of the sampled map; the learning rate is then T / STEPS
RATES = np.linspace(0, 0.6, 25)


def compute(rng, quick, progress):
    """The fit, predictions for both sets of runs, and the sampled map."""
    import simulator as sim
    from simulator import rollouts as ro

    fitted, tested = noise_fit.read(noise_fit.FIT), noise_fit.read(noise_fit.TEST)
    numbers, covariance = noise_fit.fit(fitted)
    rate, base, log_time = noise_fit.unpack(numbers)
    rates = RATES[::4] if quick else RATES
    wrong, right = (x.ravel() for x in np.meshgrid(rates, rates, indexing="ij"))
    shape = (len(wrong), 1, 1)
    problem = sim.Problem(np.tile([rate, 0.0], shape), np.tile([base, 1 - base], shape))
    maps = np.zeros((len(GROUPS), len(rates), len(rates)))
    for i, group in enumerate(GROUPS):
        recipe = ro.Recipe(
            feedback=ro.Verifier(wrong.reshape(shape), right.reshape(shape)),
            estimator=ro.GRPO(),
            group_size=group,
            learning_rate=np.exp(log_time) / STEPS,
            num_steps=STEPS,
        )
        run = ro.train(
            problem, recipe, seed=int(rng.integers(2**31)), num_seeds=4 if quick else 32
        )
        final = rate * np.exp(run.log_probs[:, :, 0, 0]).mean(axis=1)
        maps[i] = final.reshape(maps.shape[1:])
        progress(i + 1, len(GROUPS))
    sets = {"fit": fitted, "test": tested}
    data = {
        "numbers": np.array([rate, base, np.exp(log_time)]),
        "errors": noise_fit.errors(numbers, covariance),
        "group": GROUPS,
        "rate": rates,
        "map": maps,
    }
    for name, runs in sets.items():
        data |= {
            f"{name}_predicted": noise_fit.predict(numbers, runs),
            f"{name}_accuracy": runs.accuracy,
            f"{name}_group": runs.group,
            f"{name}_wrong": runs.false_positive,
            f"{name}_right": runs.false_negative,
        }
    return data


def summary(data) -> str:
    """The fit in words: numbers, errors, and where it fails."""
    names = zip(("s", "pi_0", "T"), data["numbers"], data["errors"], strict=True)
    lines = [", ".join(f"{name} = {x:.3g} +- {error:.2g}" for name, x, error in names)]
    mean = data["fit_accuracy"].mean()
    for name in ("fit", "test"):
        measured, predicted = data[f"{name}_accuracy"], data[f"{name}_predicted"]
        off = predicted - measured
        floor = np.sqrt(np.mean(measured * (1 - measured) / 256))
        constant = np.sqrt(np.mean((measured - mean) ** 2))
        lines.append(
            f"{name}: {len(off)} runs, error {np.sqrt(np.mean(off**2)):.3f}; "
            f"a constant {constant:.3f}; 256 validation questions alone {floor:.3f}"
        )
        informative = 1 - data[f"{name}_wrong"] - data[f"{name}_right"]
        for low, high in ((-0.01, 0.05), (0.05, 0.25), (0.25, 0.55), (0.55, 1.01)):
            here = (informative > low) & (informative <= high)
            if here.any():
                lines.append(
                    f"  J in ({low:.2f}, {high:.2f}]: {here.sum()} runs, measured "
                    f"{measured[here].mean():.3f}, model {predicted[here].mean():.3f}"
                )
        for group in np.unique(data[f"{name}_group"]):
            here = (data[f"{name}_group"] == group) & (informative > 0.05)
            lines.append(
                f"  G = {group}: {here.sum()} runs, measured "
                f"{measured[here].mean():.3f}, model {predicted[here].mean():.3f}"
            )
    return "\n".join(lines)


def draw(data):
    """Left and middle: maps with the measured runs. Right: model against measured."""
    import cmcrameri.cm as cmc

    from experiments.pictures.style import BLUE, GREY, ORANGE, panels

    figure, axes = panels(3, height=2.4)
    look = {"cmap": cmc.batlow, "vmin": 0, "vmax": 0.8}
    for axis, group, values in zip(
        axes[0][:2], data["group"], data["map"], strict=True
    ):
        mesh = axis.pcolormesh(
            data["rate"],
            data["rate"],
            values.T,
            shading="nearest",
            rasterized=True,
            **look,
        )
        axis.plot([0.4, 0.6], [0.6, 0.4], color="white", lw=1.2)
        here = data["fit_group"] == group
        axis.scatter(
            data["fit_wrong"][here],
            data["fit_right"][here],
            c=data["fit_accuracy"][here],
            s=28,
            edgecolors="white",
            linewidths=0.7,
            **look,
        )
        axis.set(
            xlabel="false positives $f_+$",
            ylabel="false negatives $f_-$",
            title=f"G = {group}; circles: measured",
            aspect="equal",
        )
    figure.colorbar(mesh, ax=axes[0][1], label="final accuracy", shrink=0.8)
    right = axes[0][2]
    for name, color, mark in (("fit", BLUE, "o"), ("test", ORANGE, "^")):
        measured, predicted = data[f"{name}_accuracy"], data[f"{name}_predicted"]
        error = np.sqrt(np.mean((predicted - measured) ** 2))
        right.plot(
            predicted,
            measured,
            mark,
            ms=3,
            mfc="none",
            color=color,
            label=f"{name}: error {error:.3f}",
        )
    right.plot([0, 0.8], [0, 0.8], color=GREY, lw=0.7, zorder=0)
    right.set(
        xlabel="model",
        ylabel="measured final accuracy",
        title="three free numbers",
        xlim=(0, 0.85),
        ylim=(0, 0.85),
        aspect="equal",
    )
    right.legend(loc="upper left")
    axes[0][0].text(
        0.53,
        0.515,
        "$f_+ + f_- = 1$",
        color="white",
        fontsize=5.5,
        ha="center",
        va="center",
        rotation=-45,
    )
    return figure
