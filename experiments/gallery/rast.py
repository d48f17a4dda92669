"""RAST: the shift of a small trained model, added to the logits of a large one.

`Delta = theta_S(T) - theta_S(0)` is injected as `theta_L + strength Delta`.
"""

import numpy as np

from experiments.gallery.models import donors
from experiments.gallery.models.donors import RL, STRENGTHS, TIMES
from experiments.gallery.verdict import Claim, Finding, judged

TITLE = "RAST: Reasoning Activation in LLMs via Small-model Transfer"
SOURCE = "arXiv 2506.15710"

CLAIMS = (
    Claim(
        "recovery",
        "shifts of RL hardly depend on size: the transfer recovers most of the gain",
        "policy gradient: median recovery 0.8 or more up to mismatch 0.5, and falling "
        "in it; refuted if below 0.5 without mismatch, or the same at all",
        "reproduced",
    ),
    Claim(
        "similarity",
        "how alike the shifts are predicts the recovery",
        "rank correlation of cosine and recovery 0.4 or more; refuted below 0.1",
        "reproduced",
    ),
    Claim(
        "donor",
        "a better donor helps",
        "median recovery increases with the donor's time; refuted if it falls",
        "reproduced",
    ),
    Claim(
        "mismatch",
        "pairs that are too different may be hindered",
        "the transfer ends below the base model in 5 % of problems or more at mismatch "
        "2, and in fewer than 1 % without mismatch",
        "reproduced",
    ),
    Claim(
        "strength",
        "robust in the strength",
        "mismatch up to 0.5: median recoveries at strength 1, 2 and 4 are 0.8 or more "
        "and within 0.2",
        "reproduced",
    ),
    Claim(
        "pass-at-k",
        "pass@k improves",
        "12 questions, one policy: pass@64 0.01 above RL and base; refuted: neither",
        "refuted",
    ),
    Claim(
        "tokens",
        "only a few tokens change",
        "one choice of a pattern per answer",
        "out of reach",
    ),
)


def compute(rng, quick, progress):
    """Recovery over mismatch and likeness; by donor, strength; several questions."""
    import simulator as sim

    del progress
    number = 40 if quick else 100
    rates, logits = donors.paired_models(rng, number)
    both = sim.Problem(rates, logits=logits)
    paths, short = donors.trained(both, None, TIMES), np.linspace(2, 8, TIMES.size)
    ends = donors.trained(both, sim.NaturalGradient(), short)[-1]

    def recovered(donor, wanted=paths[RL, 0], strength=1.0):
        return donors.recovery(both[0], both[1], donor, wanted, strength)

    by_strength = [recovered(paths[RL, 1], strength=x) for x in STRENGTHS]
    return {
        **donors.LEVELS,
        "recovery": recovered(paths[RL, 1]).astype(np.float32),
        "natural": np.median(recovered(ends[1], ends[0]), axis=(1, 2)),
        "cosine": donors.cosines(*(paths[RL] - both.log_policy)).astype(np.float32),
        "by_donor": np.median([recovered(x[1]) for x in paths], axis=-1),
        "by_strength": np.median(by_strength, axis=-1),
        "exact_error": donors.exact_error(both, short, ends[0]),
        "misses": donors.misses(rng, number),
    }


def findings(data):
    """The verdicts, from the saved data alone."""
    from scipy.stats import spearmanr

    recovery, cosine = data["recovery"], data["cosine"]
    by_mismatch = np.median(recovery, axis=(1, 2))
    rank = spearmanr(cosine, recovery, axis=None).statistic
    bands = np.digitize(cosine, [0, 0.3, 0.6, 0.9])
    banded = [float(np.median(recovery[bands == i])) for i in range(5)]
    by_time = np.median(data["by_donor"], axis=(1, 2))
    lost = (recovery < 0).mean(axis=(1, 2))
    strengths = np.median(data["by_strength"][:, :2], axis=(1, 2))
    base, rl, moved = hits = 1 - data["misses"]  # [problems, attempts] each
    ahead = [(moved - x).mean(axis=0)[2] >= 0.01 for x in (base, rl)]
    return [
        Finding(
            "recovery",
            judged(
                by_mismatch[1] >= 0.8 and (np.diff(by_mismatch) < 0).all(),
                by_mismatch[0] < 0.5 or np.ptp(by_mismatch) < 0.05,
            ),
            {
                "at mismatch 0 .5 1 1.5 2": by_mismatch.tolist(),
                "natural gradient": data["natural"].tolist(),
                "same success rates, natural gradient: error": data["exact_error"],
            },
            recovery[:2] >= 0.8,
        ),
        Finding(
            "similarity",
            judged(rank >= 0.4, rank < 0.1),
            {
                "rank correlation": rank,
                "median recovery at cosine below 0 .3 .6 .9 and above": banded,
                "cosine without mismatch, unlike bases": np.median(cosine[0, 0]),
                "recovery there": np.median(recovery[0, 0]),
            },
        ),
        Finding(
            "donor",
            judged((np.diff(by_time) > 0).all(), by_time[-1] <= by_time[0]),
            {"median recovery at t = 10 30 100 200 1000": by_time.tolist()},
        ),
        Finding(
            "mismatch",
            judged(lost[-1] >= 0.05 and lost[0] < 0.01, lost[-1] < 0.01),
            {"below base, by mismatch": lost.tolist()},
            recovery[-1] < 0,
        ),
        Finding(
            "strength",
            judged(strengths[2:].min() >= 0.8 and np.ptp(strengths[2:]) <= 0.2),
            {"median recovery at .25 .5 1 2 4": strengths.tolist()},
        ),
        Finding(
            "pass-at-k",
            judged(all(ahead), not any(ahead)),
            {
                f"{word}, pass@1 8 64 512": hits[i].mean(axis=0).tolist()
                for i, word in enumerate(("base", "RL", "transfer"))
            },
            ((moved > base) & (moved > rl))[:, 2],
        ),
        Finding("tokens", "out of reach", {"tokens": 0}),
    ]


def draw(data):
    """Recovery by mismatch, by cosine, by donor and strength; pass@k."""
    from experiments.pictures.style import CYCLE, GREY, grid

    figure, ((first, second), (third, last)) = grid(2, 2)
    median = np.median(data["recovery"], axis=-1)
    image = first.imshow(median, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    first.set_xticks(range(data["alike"].size), [f"{x:g}" for x in data["alike"]])
    first.set_yticks(range(data["mismatch"].size), [f"{x:g}" for x in data["mismatch"]])
    for place, value in np.ndenumerate(median):
        look = {"ha": "center", "va": "center", "color": "k" if value > 0.7 else "w"}
        first.text(*place[::-1], f"{value:.2f}", **look)
    figure.colorbar(image, ax=first, label="median recovery")
    first.set(xlabel="correlation of base logits", ylabel="mismatch of success rates")
    first.set_title("success rates count more than base models")
    for i in (0, 2, 4):
        label = f"mismatch {data['mismatch'][i]:g}"
        dots = {"s": 3, "alpha": 0.5, "color": CYCLE[i], "label": label}
        second.scatter(data["cosine"][i], data["recovery"][i], rasterized=True, **dots)
    second.axhline(0, color=GREY, lw=0.8, ls="--")
    second.set(xlabel="cosine of the shifts", ylabel="recovery", ylim=(-2, 2))
    second.set_title("alike shifts recover; unlike ones may, too")
    second.legend(loc="lower right")
    for name, place, mark, word in (
        ("by_donor", data["donors"] / 200, "o", "donor time / 200"),
        ("by_strength", data["strengths"], "s", "strength"),
    ):
        for i, color in (0, CYCLE[0]), (3, CYCLE[1]):
            line = np.median(data[name][:, i], axis=-1)
            label = f"{word}, mismatch {data['mismatch'][i]:g}"
            third.plot(place, line, mark + "-", ms=3, color=color, label=label)
    third.set(xscale="log", xlabel="donor time / 200, or strength", ylim=(0, 1.7))
    third.set(
        ylabel="median recovery", title="better donors help; flat from strength 1"
    )
    third.legend(loc="upper left")
    for i, word in enumerate(("base model", "RL", "transfer")):
        look = {"color": CYCLE[i], "label": word}
        last.plot(data["attempts"], data["misses"][i].mean(axis=0), "o-", ms=3, **look)
    last.set(xscale="log", yscale="log", xlabel="attempts $k$", ylabel="1 - pass@$k$")
    last.set(ylim=(1e-7, 2), title="pass@$k$: the base model is best at large $k$")
    last.legend()
    return figure
