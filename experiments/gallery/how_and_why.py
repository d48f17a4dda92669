"""How and why LLMs generalise: RL keeps the skills that it does not train, SFT less.

A skill is a column of success rates, `S[k, j]` for pattern k and skill j = 1 to 5,
under one policy. Skills 1 and 2 are the target, 3 to 5 are never trained. RL follows
the target; SFT copies a teacher, `theta' = teacher - pi`. All stop at equal accuracy.
"""

import numpy as np

from experiments.gallery.models.random_models import skilled_models
from experiments.gallery.verdict import Claim, Finding, judged

TITLE = "How and Why LLMs Generalize: skills under RL and SFT"
SOURCE = "arXiv 2512.24063"
PARTS, SHOWN = np.array([0.2, 0.4, 0.6, 0.8, 1.0]), 20  # of the way; problems

CLAIMS = (
    Claim(
        "drift",
        "SFT drifts more than RL, and loses more of the skills that are not trained",
        "broad base (1, 2), equal target accuracy: SFT has the larger KL to the base "
        "in 90 % and the lower worst untrained skill in 75 %; refuted if one is at "
        "most 55 %",
        "reproduced",
    ),
    Claim(
        "cause",
        "the reason is reinforcement instead of supervised training",
        "refuted if supervised training on the model's own correct answers ends where "
        "RL does, to 1e-6 in every probability",
        "refuted",
    ),
    Claim(
        "collapse",
        "RL resists collapse",
        "RL that goes on to t = 1e5 still drifts less than SFT at its stop, in most "
        "problems; refuted if it drifts more in 90 %",
        "refuted",
    ),
    Claim(
        "least-drift",
        "at equal accuracy the natural gradient drifts least (our statement)",
        "its KL is the lowest of all updates in all problems; refuted if any is lower",
        "reproduced",
    ),
    Claim(
        "surface",
        "SFT overfits patterns of the surface",
        "patterns have no text, and success rates within a pattern are fixed",
        "out of reach",
    ),
)


def compute(rng, quick, progress):
    """Drift and skills at equal target accuracy, for the five updates."""
    import simulator as sim

    del progress
    skills, logits, others = skilled_models(rng, 100 if quick else 250)
    target = skills[..., :2].mean(axis=-1)
    base = np.asarray(sim.Problem(target, logits=logits).log_policy)
    start = np.sum(np.exp(base) * target, axis=-1)
    stop = start + 0.7 * (np.sort(target, axis=-1)[..., -3] - start)
    kept = stop - start >= 0.02
    common, broad, _ = np.nonzero(kept)
    # All problems to the stop, then some of them to parts of the way.
    many = common.size
    some = np.flatnonzero((common == 0) & (broad == 2))[:SHOWN]
    lanes = np.concatenate([np.arange(many), np.repeat(some, PARTS.size)])
    part = np.concatenate([np.ones(many), np.tile(PARTS, some.size)])
    skills, target, base, others, start, stop = (
        x[kept][lanes] for x in (skills, target, base, others, start, stop)
    )
    level = start + part * (stop - start)
    problem = sim.Problem(target, logits=base)

    def ended(signal, update, level, begin=problem, limit=2000.0):
        until = sim.Accuracy(level)
        return sim.solve(begin, signal, update, until=until, max_log_time=limit)

    rl, natural, own = sim.Verifiable(), sim.NaturalGradient(), sim.RejectionSampling()
    teacher = ended(rl, natural, stop + 0.02, sim.Problem(target, logits=others))
    never = np.full_like(stop, 1 - 1e-12)
    runs = [
        ended(rl, None, level),
        ended(rl, own, level),
        ended(rl, natural, level),
        ended(sim.Demonstrations(np.exp(teacher.log_probs)), None, level),
        ended(rl, None, never, limit=np.log(1e5)),
    ]
    ends = np.stack([run.log_probs for run in runs])
    before = np.sum(np.exp(base)[..., None] * skills, axis=-2)
    change = np.sum(np.exp(ends)[..., None] * skills, axis=-2) - before
    drift = np.asarray(sim.kl(ends, np.broadcast_to(base, ends.shape)))
    worst = change[..., 2:].min(axis=-1)
    shape = len(runs), some.size, PARTS.size
    return {
        "common": common,
        "broad": broad,
        "missed": np.abs([run.accuracy - level for run in runs[:4]]).max(),
        "drift": drift[:, :many].astype(np.float32),
        "worst": worst[[0, 3], :many].astype(np.float32),  # RL, SFT
        "largest": np.abs(change[3:, :many, 2:]).max(axis=-1).astype(np.float32),
        "own_difference": np.abs(np.exp(ends[1]) - np.exp(ends[0])).max(),
        "parts": PARTS,
        "part_drift": np.median(drift[:, many:].reshape(shape), axis=1),
        "part_worst": np.median(worst[:, many:].reshape(shape), axis=1),
        "profile": np.stack([before, *(before + change)])[:, some[0]],
    }


def _shares(data):
    """How often SFT has more KL, and the lower worst skill: `[common, broad, 2]`."""
    than = np.stack(
        [data["drift"][3] > data["drift"][0], data["worst"][1] < data["worst"][0]]
    )
    cells = 3 * data["common"] + data["broad"]
    shares = [than[:, cells == cell].mean(axis=1) for cell in range(6)]
    return np.reshape(shares, (2, 3, 2))


def findings(data):
    """The verdicts, from the saved data alone."""
    rl, _, natural, sft, late = drift = data["drift"]
    shares, broad, worst = _shares(data), data["broad"], data["worst"]
    wide, drifts_on, least = shares[:, 1:], late > sft, natural <= drift
    most = (broad == 2) & (data["common"] == 0)

    def medians(rows):
        return np.median(rows, axis=1).tolist()

    return [
        Finding(
            "drift",
            judged((wide >= [0.9, 0.75]).all(), (wide <= 0.55).any()),
            {
                "more KL at broad 0 1 2, common 0 and .6": shares[..., 0].tolist(),
                "lower worst skill": shares[..., 1].tolist(),
                "median worst change, broad 2, RL and SFT": medians(worst[:, most]),
            },
            ((sft > rl) & (worst[1] < worst[0]))[broad >= 1],
        ),
        Finding(
            "cause",
            judged(data["own_difference"] > 1e-2, data["own_difference"] < 1e-6),
            {"largest difference of a probability": data["own_difference"]},
        ),
        Finding(
            "collapse",
            judged(drifts_on.mean() < 0.5, drifts_on.mean() >= 0.9),
            {
                "median KL, late RL and SFT": medians(drift[[4, 3]]),
                "median largest change of a skill": medians(data["largest"][::-1]),
            },
            ~drifts_on,
        ),
        Finding(
            "least-drift",
            judged(least.all(), not least.all()),
            {"median KL, natural gradient, RL, SFT": medians(drift[[2, 0, 3]])},
            least.all(axis=0),
        ),
        Finding("surface", "out of reach", {"texts": 0}),
    ]


def draw(data):
    """Drift and worst skill along the way; shares of problems; one profile."""
    from experiments.pictures.style import CYCLE, GREY, grid

    figure, axes = grid(2, 2)
    (first, second), (third, last) = axes
    words = "RL", "own correct answers", "natural gradient", "SFT", "RL to $t = 10^5$"
    looks = "-", ":", "--", "-."
    for axis, name in (first, "part_drift"), (second, "part_worst"):
        for i in range(4):
            look = {"color": CYCLE[i], "ls": looks[i], "label": words[i]}
            axis.plot(data["parts"], data[name][i], lw=2.5 if i == 1 else 1.2, **look)
        axis.set(xlabel="part of the way to the target accuracy")
    first.set(ylabel="KL to the base model (nats)", title="SFT drifts most")
    second.set(ylabel="worst untrained skill, change", title="and loses most")
    first.legend()
    for i, color, word in (0, CYCLE[3], "KL"), (1, CYCLE[1], "skill"):
        for line, mark, c in zip(_shares(data), "os", ("0", ".6"), strict=True):
            look = {"color": color, "label": f"{word}, common part {c}"}
            third.plot([0, 1, 2], line[:, i], mark + "-", ms=3, **look)
    third.axhline(0.5, color=GREY, lw=0.8, ls="--")
    third.set(xlabel="how broad the base model is", ylim=(0, 1.05), xticks=[0, 1, 2])
    third.set(ylabel="share of problems", title="SFT has more KL, a lower worst skill")
    third.legend()
    skills = np.arange(1, 6)
    last.plot(skills, data["profile"][0], "k-", lw=2.5, alpha=0.4, label="base model")
    for i in (0, 3, 4):
        line = data["profile"][i + 1]
        last.plot(skills, line, "o-", ms=3, color=CYCLE[i], label=words[i])
    last.set(xlabel="skill (1 and 2 are trained)", ylabel="accuracy", ylim=(0, 1))
    last.set(title="one problem", xticks=skills)
    last.legend(ncols=2)
    return figure
