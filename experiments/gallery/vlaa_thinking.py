"""SFT before RL in vision-language models: a higher start and a slower rise.

Patterns: native reasoning, pseudo (imitated), unformatted, direct. After SFT the pseudo
one succeeds more often than the model does: statement A3, with the length of B4.
"""

from typing import Any

import numpy as np

from experiments.gallery.models.rounds import joined, policies_at
from experiments.gallery.verdict import Claim, Finding, judged

TITLE = "SFT or RL? R1-Like Reasoning Large Vision-Language Models (VLAA-Thinking)"
SOURCE = "arXiv 2504.11468"
# native, pseudo, unformatted, direct
RATES = [0.55, 0.36, 0.0, 0.10]  # a reward asks for the format
BENCHMARK = [0.38, 0.18, 0.32, 0.25]  # graded leniently
BASE = [0.06, 0.01, 0.85, 0.08]
INSTRUCT = [0.20, 0.01, 0.71, 0.08]
DATA = [0.02, 0.96, 0.0, 0.02]
DOSES = np.array([0.0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12])
NATIVE = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8])  # in the data
TIMES = np.unique([*np.geomspace(1, 1e4, 81), 10.0, 49.0, 300.0])
MARGIN = 0.02

CLAIMS = (
    Claim(
        "crossing",
        "SFT gives RL a higher start and, after the same RL, a lower end",
        "some dose has a higher reward at t = 0 and lower reward and benchmark at "
        "t = 49 than GRPO alone; by 0.02 in over half of the random designs",
        "reproduced",
    ),
    Claim(
        "ceiling",
        "the lower end is a lower upper bound",
        "refuted if rewards at t = 1e4 agree within 0.02, for all doses and in 95 % of "
        "the random designs",
        "refuted",
    ),
    Claim(
        "sft-alone",
        "SFT alone lowers the benchmark",
        "below the base model at every dose from 1 on; by hand-picked success rates",
        "possible",
    ),
    Claim(
        "instruct",
        "an instruct model suffers more from SFT than a base model",
        "it loses 2 % more of its reward at t = 49, relative to GRPO alone, in more "
        "than half of the random designs; refuted if in fewer than 5 %",
        "refuted",
    ),
    Claim(
        "length",
        "neither the length of answers nor the reward tracks performance",
        "patterns have no length",
        "out of reach",
    ),
)


def designs(rng, number):
    """Random success rates `[number, 4]`, and doses."""
    rates = np.tile(RATES, (number, 1))
    rates[:, 0] = rng.uniform(0.4, 0.8, number)
    rates[:, 1] = rng.uniform(0.3, 0.9, number) * rates[:, 0]
    return rates, rng.uniform(2, 10, number)


def compute(rng, quick, progress):
    """SFT once per base model and data; GRPO from all doses in one batch."""
    import simulator as sim
    from theory import entanglement, group_clocks

    del progress
    rates, doses = designs(rng, 60 if quick else 300)
    saved, few = np.unique([*DOSES[1:], *doses]), len(DOSES)
    data = [DATA, DATA, *([q, 0.98 - q, 0.0, 0.02] for q in NATIVE)]
    bases = [BASE, INSTRUCT, *[BASE] * len(NATIVE)]
    start = sim.Problem(np.tile(RATES, (len(bases), 1)), bases)
    imitated = policies_at(start, sim.Demonstrations(data), saved)
    paths = np.concatenate([np.log(bases)[:, None], imitated], axis=1)
    at, drawn = (np.searchsorted([0.0, *saved], x) for x in (DOSES, doses))
    parts = {
        "dose": (RATES, paths[0, at]),
        "instruct": (RATES, paths[1, at]),
        "native": (RATES, paths[2:, at[4]]),
        "random": (rates, paths[0, drawn]),
        "random_instruct": (rates, paths[1, drawn]),
        "alone": (rates, paths[0, 0 * drawn]),
        "alone_instruct": (rates, paths[1, 0 * drawn]),
    }
    all_rates, logs, apart = joined(parts)
    lenient = {"benchmark": np.broadcast_to(BENCHMARK, logs.shape)}
    trained = sim.solve(
        sim.Problem(all_rates, logits=logs, attributes=lenient),
        sim.Verifiable(),
        sim.GRPO(4),
        events=[sim.T0()],
        save_log_times=np.log(TIMES),
        observe=sim.log_probabilities,
        max_log_time=np.log(TIMES[-1]),
    )
    found: dict = {"times": TIMES, "doses": DOSES, "native": NATIVE}
    curves: Any = trained.saved
    reward = trained.accuracy_of(curves)
    marks = np.searchsorted(TIMES, [49.0, 300.0, 1e4])
    for name, part in apart(reward).items():
        found[f"{name}_reward"] = part if name == "dose" else part[:, marks]
    found["dose_benchmark"] = trained.attribute("benchmark", curves)[:few]
    begin = np.exp(logs[:few])
    found["dose_start"] = begin @ np.transpose([RATES, BENCHMARK])
    found["higher"] = np.sum((np.exp(paths[0, drawn]) - BASE) * rates, axis=1) > 0
    found["t0"] = trained["t0"].time[:few]
    bounds = entanglement.transition_bounds([RATES] * few, np.log(begin))
    clock = group_clocks.grpo(np.linspace(begin @ RATES, RATES[1]), 4)
    lower, upper = bounds.lower / clock.max(axis=0), bounds.upper / clock.min(axis=0)
    return found | {"t0_bounds": np.stack([lower, upper])}


def findings(data):
    """The verdicts, from the saved data alone."""
    at, some = np.searchsorted(data["times"], [49.0, 300.0, 1e4]), [0, 4, 8]
    reward, benchmark = data["dose_reward"][:, at], data["dose_benchmark"][:, at[0]]
    start, graded = data["dose_start"].T
    crossed = (start > start[0]) & (reward[:, 0] < reward[0, 0] - MARGIN)
    crossed &= benchmark < benchmark[0] - MARGIN
    gap = data["alone_reward"] - data["random_reward"]
    hits = data["higher"] & (gap[:, 0] > MARGIN)
    lower = gap[:, -1] >= MARGIN
    agree = np.ptp(reward[:, -1]) < MARGIN and lower.mean() <= 0.05
    other = data["alone_instruct_reward"] - data["random_instruct_reward"]
    loss = (gap / data["alone_reward"])[:, 0]
    worse = (other / data["alone_instruct_reward"])[:, 0] > loss + MARGIN
    crossing = {
        "dose": data["doses"][some].tolist(),
        "reward at 0": start[some].tolist(),
        "reward at 49": reward[some, 0].tolist(),
        "benchmark at 49": benchmark[some].tolist(),
    }
    ceiling = {"at 300": reward[some, 1].tolist(), "at 1e4": reward[some, 2].tolist()}
    instruct = {"reward at 49": data["instruct_reward"][some, 0].tolist()}
    verdicts = [
        judged(crossed.any() and hits.mean() > 0.5, not crossed.any()),
        judged(lower.mean() > 0.5, agree),
        "possible" if (graded[1:] < graded[0]).all() else "refuted",
        judged(worse.mean() > 0.5, worse.mean() < 0.05),
        "out of reach",
    ]
    t0 = {"T0": data["t0"][some].tolist(), "B4": data["t0_bounds"][1, some].tolist()}
    alone = {"benchmark at 0": graded[some].tolist()}
    shown = [crossing, ceiling | t0, alone, instruct, {"patterns": 4}]
    ids = [claim.id for claim in CLAIMS]
    return list(map(Finding, ids, verdicts, shown, [hits, lower, None, worse, None]))


def draw(data):
    """Curves that cross, the benchmark by dose, the delay, the quality of the data."""
    from experiments.pictures.style import AMBER, BLUE, CYCLE, GREY, ORANGE, grid

    figure, ((left, right), (low, last)) = grid(2, 2)
    doses, at = data["doses"], list(data["times"]).index(49)
    for i, color in zip((0, 4, 8), CYCLE, strict=False):
        word = f"SFT dose {doses[i]:g}" if i else "GRPO alone"
        left.plot(data["times"], data["dose_reward"][i], color=color, label=word)
    left.axvline(49, color=GREY, lw=0.8, ls="--", label="t = 49")
    left.set(xscale="log", xlabel="flow time of GRPO $t$", ylabel="reward")
    left.set_title("a higher start, a later rise, the same end")
    left.legend(loc="upper left")
    graded = data["dose_benchmark"][:, at]
    right.plot(doses, graded, "o-", ms=3, color=BLUE, label="SFT, then GRPO to t = 49")
    right.plot(doses, data["dose_start"][:, 1], "--", color=ORANGE, label="SFT alone")
    right.hlines([0.3449, 0.2098, 0.2178], 0, 12, color=GREY, lw=0.8, ls=":")
    right.text(12, 0.347, "paper: GRPO alone", color=GREY, fontsize=6.5, ha="right")
    right.text(0, 0.200, "paper: SFT, GRPO", color=GREY, fontsize=6.5, va="top")
    right.set(
        xlabel="SFT dose (flow time)", ylabel="benchmark accuracy", ylim=(0.15, 0.4)
    )
    right.legend(loc="center right", bbox_to_anchor=(1, 0.62))
    bounds = data["t0_bounds"]
    low.fill_between(doses, *bounds, color=AMBER, alpha=0.4, lw=0, label="B4: bounds")
    low.plot(doses, data["t0"], "o", ms=3, color=BLUE, label="model")
    low.set(xlabel="SFT dose (flow time)", ylabel="transition time $T_0$")
    low.set_title("from dose 3 on the transition takes longer")
    low.legend()
    for i, word in enumerate(("t = 49", "t = 300")):
        last.plot(data["native"], data["native_reward"][:, i], "o-", label=word)
    last.axhline(data["dose_reward"][0, at], color=GREY, lw=0.8, ls="--")
    last.set(xlabel="native traces in the SFT data (share)", ylabel="reward")
    last.set_title("dose 4: few native traces remove the harm")
    last.legend(title="dashes: GRPO alone, t = 49", title_fontsize=6.5)
    return figure
