"""Rounds of SFT on one's own correct samples, from the base model, and RL.

Five patterns: direct, reflect, loop (repetitive reflection), misground, careful. The
first data come from outside; later ones are the model's own samples that were correct,
`pi_k s_k / (pi . s)`. Each round begins at the base model again, or goes on.
"""

import numpy as np

from experiments.gallery.models.rounds import follow
from experiments.gallery.verdict import Claim, Finding, judged

TITLE = "OpenVLThinker: iterative SFT-RL cycles"
SOURCE = "arXiv 2503.17352"
# direct, reflect, loop, misground, careful
RATES = [0.69, 0.80, 0.40, 0.45, 0.74]
HELD_OUT = [0.66, 0.76, 0.40, 0.45, 0.71]
OVERFIT = [[0.69, 0.80, 0.40, 0.45, 0.88], [0.66, 0.76, 0.40, 0.45, 0.50]]
BASE = [0.93, 5e-4, 5e-4, 0.03, 0.039]
TEACHER = [0.15, 0.42, 0.25, 0.15, 0.03]
REFLECTIVE = np.array([0, 1, 1, 0, 0])
DOSES = np.array([6.0, 7, 8, 9, 10, 12])
BUDGETS = np.array([10.0, 15, 20, 40, 80])
DOSE, BUDGET = 9.0, 20.0
RANDOM_DOSE = 8.0

CLAIMS = (
    Claim(
        "rounds",
        "SFT falls below the base model, then SFT and RL rise from round to round",
        "so in the example; both rise in more than 80 % of the random models",
        "reproduced",
    ),
    Claim(
        "keywords",
        "SFT moves the share of reflective patterns more than RL does; without SFT "
        "they do not appear",
        "so in the example, below 0.01 in RL alone; and the policy moves farther in "
        "SFT than in RL (total variation) in most random models. Refuted if "
        "reflection moves more in RL",
        "reproduced",
    ),
    Claim(
        "iteration",
        "three rounds are better than one SFT and RL of the same total length",
        "in the example and in more than half of the random models; refuted if one SFT "
        "reaches the loop's accuracy in the example and in most random models",
        "refuted",
    ),
    Claim(
        "restart",
        "on other questions it is better to restart from the base model than to go on",
        "refuted if going on is at least as good on held-out rates, with and without a "
        "pattern that overfits",
        "refuted",
    ),
    Claim(
        "stability",
        "restarts keep weights near those of the base model",
        "patterns have no weights, and nothing in them can be forgotten",
        "out of reach",
    ),
)


def random_models(rng, number):
    """Rates, held-out rates, base policies and first data, `[number, 5]`."""
    rates = rng.uniform(0.3, 0.9, (number, 5))
    held = np.clip(rates + 0.1 * rng.normal(size=rates.shape), 0, 1)
    base = np.exp(2 * rng.normal(size=rates.shape))
    data = rng.dirichlet(np.ones(5), number) * rates
    return rates, held, base / base.sum(1, keepdims=True), data / data.sum(1)[:, None]


def compute(rng, quick, progress):
    """All rounds of all lanes together: example, controls, map, random models."""
    del progress
    number = 60 if quick else 300
    rates, held, base, data = random_models(rng, number)
    outside, other, own = (
        np.multiply(x, s) / np.dot(x, s)
        for x, s in ((TEACHER, RATES), (TEACHER, OVERFIT[0]), (BASE, RATES))
    )
    cells = np.array([(x, y) for x in DOSES for y in BUDGETS])
    few = 5 + len(cells)
    # restart and go on; the same with an overfit pattern; own data first; the map
    example = [RATES, RATES, OVERFIT[0], OVERFIT[0], RATES, *[RATES] * len(cells)]
    first = [outside, outside, other, other, own, *[outside] * len(cells)]
    s = np.array([*example, *rates, *rates])
    policies, controls = follow(
        s,
        np.array([*[BASE] * few, *base, *base]),
        np.array([*first, *data, *data]),
        np.array([*[DOSE] * 5, *cells[:, 0], *[RANDOM_DOSE] * 2 * number]),
        np.array([*[BUDGET] * 5, *cells[:, 1], *[BUDGET] * 2 * number]),
        np.array([1, 0, 1, 0, *[1] * (few - 4 + number), *[0] * number]) > 0,
    )
    accuracy = np.sum(policies * s[:, None], axis=-1)
    longer = np.sum(controls * s[:, None], axis=-1)
    there, on = policies[few : few + number], policies[few + number :]
    path = np.concatenate([base[:, None], there], axis=1)
    tests = [HELD_OUT, HELD_OUT, OVERFIT[1], OVERFIT[1]]
    kept = policies[5:few, 5, 1] / policies[5:few, 1, 1]
    return {
        "base": np.dot(BASE, RATES),
        "accuracy": accuracy[:5],
        "longer": longer[0],
        "reflective": np.array([BASE, *policies[0], controls[0, 0]]) @ REFLECTIVE,
        "kept": kept.reshape(len(DOSES), len(BUDGETS)),
        "doses": DOSES,
        "budgets": BUDGETS,
        "held": np.einsum("nrk,nk->nr", policies[:4], tests),
        "random_base": np.sum(base * rates, axis=1),
        "random": accuracy[few : few + number],
        "random_longer": longer[few : few + number, 1],
        "random_moved": np.abs(np.diff(path[:, :3], axis=1)).sum(-1) / 2,
        "random_held": np.sum(np.stack([there[:, 5], on[:, 5]]) * held, axis=-1),
    }


def rise(series):
    """Whether accuracy after SFT and that after RL both rise from round to round."""
    return (series[..., 2:] > series[..., :-2]).all(axis=-1)


def findings(data):
    """The verdicts, from the saved data alone."""
    loop, more = data["accuracy"][0], data["longer"][1]
    rises, below = rise(data["random"]), data["random"][:, 0] < data["random_base"]
    mass, moved = data["reflective"], data["random_moved"]
    first, second = mass[1] - mass[0], mass[2] - mass[1]
    farther = moved[:, 0] > moved[:, 1]
    gain = data["random"][:, 5] - data["random_longer"]
    most = (gain > 0).mean()
    held, drawn = data["held"][:, 5], data["random_held"]
    rounds = {
        "base": data["base"],
        "SFT": loop[::2].tolist(),
        "RL": loop[1::2].tolist(),
    }
    rounds["without data from outside"] = data["accuracy"][4, 5]
    rounds["SFT below base, share"] = below.mean()
    keywords = {"base, SFT, RL": mass[:3].tolist(), "RL alone": mass[-1]}
    iteration = {"three rounds": loop[5], "one SFT, same RL": more}
    iteration["median gain of rounds"] = np.median(gain)
    restart = {"restart": held[[0, 2]].tolist(), "going on": held[[1, 3]].tolist()}
    lower = held[1] >= held[0] and held[3] >= held[2]
    dips = loop[0] < data["base"]
    verdicts = [
        judged(dips and rise(loop) and rises.mean() > 0.8, not rise(loop)),
        judged(
            first > second and mass[-1] < 0.01 and farther.mean() > 0.5, first <= second
        ),
        judged(loop[5] > more and most > 0.5, more >= loop[5] and most < 0.5),
        judged(held[0] > held[1] and held[2] > held[3], lower),
        "out of reach",
    ]
    shown = [rounds, keywords, iteration, restart, {"patterns": 5}]
    hits = [rises, farther, gain > 0, drawn[0] > drawn[1], None]
    return list(map(Finding, [claim.id for claim in CLAIMS], verdicts, shown, hits))


def draw(data):
    """The saw-tooth, its threshold, held-out rates, random models."""
    from experiments.pictures.style import BLACK, BLUE, GREY, ORANGE, PURPLE, grid

    figure, ((left, right), (low, last)) = grid(2, 2, height=5)
    names = ["base", *(f"{x}{i}" for i in (1, 2, 3) for x in ("SFT", "RL"))]
    words = {0: "restart from base", 1: "going on", 4: "no data from outside"}
    for (i, word), color in zip(words.items(), (BLUE, ORANGE, PURPLE), strict=True):
        curve = [data["base"], *data["accuracy"][i]]
        left.plot(names, curve, "o-", ms=3, color=color, label=word)
    paper = [0.685, 0.634, 0.666, 0.675, 0.709, 0.695, 0.717]
    left.plot(names, paper, "x", color=BLACK, ms=4, label="paper (MathVista)")
    for level, style, word in zip(data["longer"], "-:", ("RL", "SFT, RL"), strict=True):
        left.axhline(level, color=GREY, ls=style, lw=0.9, label=f"{word} for 3 T")
    left.set(ylabel="accuracy", ylim=(0.62, 0.87), title="SFT and RL rise by rounds")
    left.legend(ncols=2, loc="upper left", bbox_to_anchor=(0.04, 1.02))
    columns, rows = (np.arange(len(data[x])) + 0.5 for x in ("budgets", "doses"))
    shades = {"cmap": "PuOr", "vmin": -2, "vmax": 2, "shading": "nearest"}
    mesh = right.pcolormesh(columns, rows, np.log10(data["kept"]), **shades)
    right.contour(columns, rows, data["kept"], [1], colors="k")
    right.set_xticks(columns, [f"{x:g}" for x in data["budgets"]])
    right.set_yticks(rows, [f"{x:g}" for x in data["doses"]])
    right.set(xlabel="RL budget T per round", ylabel="SFT dose")
    right.set_title("above the line reflection grows from RL1 to RL3")
    figure.colorbar(mesh, ax=right, label=r"log$_{10}$ of its ratio")
    for i, word in enumerate(("restart", "going on", "overfit pattern", "the same")):
        look = {"color": (BLUE, ORANGE)[i % 2], "ls": "-" if i < 2 else "--"}
        low.plot(names[1:], data["held"][i], label=word, **look)
    low.set(ylabel="held-out accuracy", ylim=(0.45, 0.76))
    low.set_title("held out: going on is better")
    low.legend(ncols=2)
    gain = data["random"][:, 5] - data["random_longer"]
    other, bins = np.subtract(*data["random_held"]), np.linspace(-0.1, 0.1, 41)
    for values, word in ((gain, "rounds - one SFT"), (other, "restart - going on")):
        last.hist(values, bins, histtype="step", label=word)
    last.set(xlabel="difference of accuracy", ylabel="random models")
    last.legend(loc="upper right")
    return figure
