"""How tight every claim is: its margins over random problems, from the verify report.

A margin is 0 where a claim is at its limit. For a bound it is a relative distance; for
an equality, a limit or a sign it is measured in what is allowed, so that 1 is perfect
(each claim's `margin_is` in the report says what its number means).
"""

import numpy as np

SHOWS: tuple[str, ...] = ()

QUANTILES = ("0", "0.01", "0.5", "0.99", "1")


def collect(reports) -> dict:
    """The margins' quantiles, claim by claim, in the order of the statements."""
    claims = [
        claim
        for report in reports
        for claim in report["claims"]
        if claim["worst_margin"] is not None
    ]
    return {
        "claim": np.array([claim["id"] for claim in claims]),
        "status": np.array([claim["status"] for claim in claims]),
        "problems": np.array([claim["problems"] for claim in claims]),
        "violations": np.array([claim["violations"] for claim in claims]),
        "quantiles": np.array(
            [[claim["tightness"][q] for q in QUANTILES] for claim in claims]
        ),
    }


def draw(data):
    """Two columns of strips: worst case, 1 % to 99 %, median."""
    from experiments.pictures.style import AMBER, BLACK, BLUE, GREY, ORANGE, panels

    colors = {"proved": BLUE, "formal": GREY, "as reported": AMBER, "refuted": ORANGE}
    floor = 1e-16  # margins below this, negative ones too, are drawn here
    total = len(data["claim"])
    # Whole statements: the first that begins in the second half starts a new column.
    statement = np.array([name.split(".")[0] for name in data["claim"]])
    starts = np.flatnonzero(statement[1:] != statement[:-1]) + 1
    half = starts[np.argmin(np.abs(starts - total / 2))] if len(starts) else total
    columns = [part for part in np.split(np.arange(total), [half]) if len(part)]
    rows = max(len(part) for part in columns)
    figure, axes = panels(len(columns), height=0.9 + 0.125 * rows)
    for axis, part in zip(axes[0], columns, strict=True):
        for y, i in enumerate(part.tolist()):
            color = colors[data["status"][i]]
            worst, low, middle, high, _ = np.clip(data["quantiles"][i], floor, 10)
            axis.plot([low, high], [y, y], color=color, linewidth=2.2, alpha=0.45)
            axis.plot(middle, y, "o", color=color, ms=2.4)
            broken = data["violations"][i] > 0
            axis.plot(worst, y, "x" if broken else "|", color=color, ms=4.5)
            if i and statement[i] != statement[i - 1] and y:
                axis.axhline(y - 0.5, color=GREY, linewidth=0.3)
        axis.set(
            xscale="log",
            xlim=(floor / 2, 20),
            ylim=(rows - 0.4, -0.6),
            yticks=range(len(part)),
            yticklabels=data["claim"][part],
            xticks=[floor, 1e-12, 1e-8, 1e-4, 1],
            xticklabels=["0", "$10^{-12}$", "$10^{-8}$", "$10^{-4}$", "1"],
        )
        axis.minorticks_off()
        axis.tick_params(axis="y", length=0, labelsize=5.5)
        axis.axvline(floor, color=BLACK, linewidth=0.4, linestyle=":")
    marks = [
        axes[0][0].plot([], [], "o-", color=colors[name], ms=2.4, label=name)[0]
        for name in colors
    ]
    marks += [
        axes[0][0].plot([], [], "|", color=BLACK, ms=5, label="worst case")[0],
        axes[0][0].plot([], [], "x", color=BLACK, ms=4, label="violated somewhere")[0],
    ]
    figure.supxlabel(
        "margin, 0 at the limit (dot: median, bar: 1 % to 99 % of the problems)",
        fontsize=8,
    )
    figure.legend(handles=marks, loc="outside upper center", ncols=6)
    return figure
