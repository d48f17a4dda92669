"""Echo chamber: RL ends in one format of the pre-training mixture.

Formats are patterns, the mixture is the base policy, and scale sets the success rates.
By B2 the leader at a finite budget is `argmin_k (1/pi_0(k) - s_k tau)`, not `argmax s`.
"""

import numpy as np

from experiments.gallery.models import formats, transfer
from experiments.gallery.models.rounds import expert_iteration, joined
from experiments.gallery.verdict import Claim, Finding, judged

TITLE = "Echo Chamber: RL Post-training Amplifies Behaviors Learned in Pretraining"
SOURCE = "arXiv 2504.07912"
SCALES = np.linspace(0, 1, 201)
FEW = np.linspace(0, 1, 41)  # of random models
RARE = np.array([0.3, 0.2, 0.1, 0.05, 0.02, 0.01])
MARKS = np.array([10.0, 30.0, 100.0, 300.0, 1e3, 1e4])
TIMES = np.unique([*np.geomspace(1, 9e3, 40), *MARKS])
RELATED = np.array([-1.0, 0.0, 0.5, 1.0])
CLOSE = 0.02

CLAIMS = (
    Claim(
        "one-format",
        "RL converges to one format of the mixture",
        "share above 0.95 at t = 1e3 where the best two rates differ by 0.02 or more; "
        "refuted if not at t = 1e4, there or in most random models",
        "reproduced",
    ),
    Claim(
        "scale",
        "small models end in code, large ones in text",
        "the switch falls with the budget, not below the true crossing, here and in "
        "most random models; refuted if it does not depend on the budget",
        "reproduced",
    ),
    Claim(
        "best",
        "the favoured format is often the best one",
        "at t = 1e3 in more than half of the random models; refuted below 40 %",
        "reproduced",
    ),
    Claim(
        "algorithms",
        "policy gradient and expert iteration converge to the same format",
        "the same leader at t = 1e4 and after 1000 rounds, where rates differ by 0.02",
        "reproduced",
    ),
    Claim(
        "diversity",
        "pass@1 rises as diversity falls",
        "pass@1 rises and pass@64 falls in most banks of questions, at both scales",
        "reproduced",
    ),
    Claim(
        "transfer",
        "RL on simpler questions helps harder ones",
        "hard accuracy rises in most random models at correlation 0.5 of the skills",
        "reproduced",
    ),
)


def compute(rng, quick, progress):
    """Policy gradient of all lanes with three formats; expert iteration; transfer."""
    import simulator as sim
    from theory.entanglement import transition_bounds

    number, marks = 30 if quick else 100, np.searchsorted(TIMES, MARKS)
    scaled, mixtures, place = formats.random_scales(rng, number, FEW)
    questions = formats.banks(rng, number)
    drawn = rng.uniform(0.1, 0.9, (3 * number, 3))
    mixed = rng.dirichlet(np.ones(3), 3 * number)
    rare = np.stack([0.6875 * (1 - RARE), 0.3125 * (1 - RARE), RARE], axis=1)
    rates, large = formats.rates_of(SCALES), formats.rates_of(0.6)
    parts = {
        "scale": (rates, formats.MIXTURE),
        "rare": (large, rare),
        "random": (drawn, mixed),
        "bank": (questions.mean(axis=2).reshape(-1, 3), formats.MIXTURE),
        "many": (scaled.reshape(-1, 3), mixtures.reshape(-1, 3)),
    }
    all_rates, base, apart = joined(parts)
    run = sim.solve(
        sim.Problem(all_rates, base),
        sim.Verifiable(),
        events=[sim.Crossing()],
        save_log_times=np.log(TIMES),
        max_log_time=np.log(TIMES[-1]),
        progress=progress,
    )
    policy, time = apart(run.saved), apart(run["crossing"].time)
    again, base, parted = joined({x: parts[x] for x in ("scale", "rare", "random")})
    found = expert_iteration(again, base, [*np.arange(1.0, 41), 1000.0])
    iterated = parted(found.argmax(axis=-1))
    easy, hard, base = transfer.skills(rng, 2 * number, RELATED)
    gain, slope = transfer.trained(easy, hard, base, 1e3)
    bank = np.reshape(policy["bank"][:, marks[4]], (2, number, 1, 3))
    chance = np.stack([questions @ formats.MIXTURE, np.sum(questions * bank, axis=-1)])
    bounds = transition_bounds(np.tile(large, (6, 1)), np.log(rare), event="crossing")
    many = policy["many"].argmax(-1).reshape(number, len(FEW), -1)
    leader = policy["scale"].argmax(-1).astype(np.uint8)
    taken = policy["random"][:, marks[4:]].argmax(-1)
    return {
        "times": TIMES,
        "scales": SCALES,
        "true": formats.crossing_scale(),
        "gap": np.abs(np.diff(np.sort(rates)[:, 1:])[:, 0]),
        "leader": leader,
        "switch": formats.switches(leader, SCALES)[marks],
        "share": policy["scale"].max(-1)[:, marks[4:]],
        "paths": policy["scale"][[60, 120]],
        "random_share": policy["random"].max(-1)[:, marks[4:]],
        "random_leader": taken,
        "random_right": taken == drawn.argmax(-1)[:, None],
        "iterated": iterated["scale"][:, -1],
        "random_iterated": iterated["random"][:, -1],
        "rounds": np.argmax(iterated["rare"] == 2, axis=1) + 1,
        "rounds_law": np.log(rare[:, 0] / RARE) / np.log(large[2] / large[0]),
        "rare": RARE,
        "rare_time": time["rare"],
        "rare_bound": bounds.upper,
        "many_switch": formats.switches(many, FEW)[:, marks],
        "many_true": place,
        "pass": np.stack([chance.mean(-1), (1 - (1 - chance) ** 64).mean(-1)]),
        "gain": gain,
        "told": (gain > 0) == (slope > 0),
        "related": RELATED,
    }


def findings(data):
    """The verdicts, from the saved data alone."""
    apart = data["gap"] >= CLOSE
    early, late = data["share"][apart].min(axis=0)
    alone = data["random_share"] > 0.95
    here, many = data["switch"], data["many_switch"]
    falls = (many[:, 5] < many[:, 1]) & (many[:, 5] >= data["many_true"])
    down = (here[1:] <= here[:-1]).all() and data["true"] <= here[5] < here[1]
    same = (data["iterated"] == data["leader"][:, -1])[apart]
    equal = data["random_iterated"] == data["random_leader"][:, 1]
    ones, tries = data["pass"]
    wins = (ones[1] > ones[0]) & (tries[1] < tries[0])
    helps, best = data["gain"] > 0, data["random_right"].mean(axis=0)
    closer = data["share"][~apart].min(axis=0)
    one = {"least share at 1e3, 1e4": [early, late], "where rates are closer": closer}
    scale = {"switch by t": here, "true": data["true"], "median": np.median(many, 0)}
    scale |= {"rare text leads at": data["rare_time"], "B4": data["rare_bound"]}
    passed = {"pass@1": ones.mean(-1).T, "pass@64": tries.mean(-1).T}
    rounds = {"rounds": data["rounds"], "law": data["rounds_law"]}
    hard = {"improves": helps.mean(1), "gain": data["gain"].mean(1)}
    hard["sign at the start tells"] = data["told"].mean(1)
    shown = [one, scale, {"at 1e3, 1e4": best}, rounds, passed, hard]
    verdicts = [
        judged(early > 0.95, late <= 0.95 or alone[:, 1].mean() < 0.5),
        judged(down and falls.mean() > 0.5, here[1] == here[5]),
        judged(best[0] > 0.5, best[0] < 0.4),
        judged(same.all(), same.mean() < 0.9),
        judged((wins.mean(axis=1) > 0.5).all(), (wins.mean(axis=1) < 0.5).any()),
        judged(helps[2].mean() > 0.5, helps[2].mean() < 0.5),
    ]
    hits = [alone[:, 1], falls, data["random_right"][:, 0], equal, wins, helps[2]]
    return list(map(Finding, [claim.id for claim in CLAIMS], verdicts, shown, hits))


def draw(data):
    """Who leads by scale and budget, formats in time, rare text, transfer."""
    from matplotlib.colors import ListedColormap

    from experiments.pictures.style import BLACK, BLUE, CYCLE, GREY, ORANGE, SKY, grid

    figure, ((left, right), (low, last)) = grid(2, 2)
    times, colors = data["times"], (BLUE, SKY, ORANGE)
    shades: dict = {"cmap": ListedColormap(colors), "vmax": 2, "rasterized": True}
    left.pcolormesh(data["scales"], times, data["leader"].T, **shades)
    left.axvline(data["true"], color=BLACK, ls="--")
    left.text(0.2, 30, "code leads", color="white")
    left.text(0.7, 300, "text leads", color="white")
    left.set(yscale="log", xlabel="scale x; dashes: text is best", ylabel="time $t$")
    for path, style, x in zip(data["paths"], ("--", "-"), (0.3, 0.6), strict=True):
        for k, name in enumerate(("code", "other code", "text")):
            look = {"color": colors[k], "label": f"{name}, x = {x}"}
            right.plot(times, path[:, k], style, **look)
    right.set(
        xscale="log", xlabel="flow time $t$", ylabel="share of formats", ylim=(0, 1.4)
    )
    right.legend(ncols=2, loc="upper left")
    low.loglog(data["rare"], data["rare_bound"], color=GREY, label="B4: upper bound")
    low.plot(data["rare"], data["rare_time"], "o", ms=4, label="policy gradient, $t$")
    low.plot(data["rare"], data["rounds"], "s", ms=4, label="expert iteration, rounds")
    low.plot(data["rare"], data["rounds_law"], "k:", label="its law")
    low.set(xlabel="text in the mixture (share), x = 0.6", ylabel="until text leads")
    low.legend()
    for i, (r, gain) in enumerate(zip(data["related"], data["gain"], strict=True)):
        last.plot(np.sort(gain), np.linspace(0, 1, len(gain)), color=CYCLE[i], label=r)
    last.axvline(0, color=GREY, lw=0.8, ls="--")
    last.set(xlabel="hard accuracy gained by RL on easy ones", ylabel="share of models")
    last.legend(title="correlation of skills", title_fontsize=6.5)
    return figure
