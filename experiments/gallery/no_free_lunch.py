"""No free lunch: training on the model's own confidence rises, then falls below base.

Each pattern has a row of answer probabilities. Self-certainty pays `-mean_a log P_ka`,
token entropy `-H(P_k)`, trajectory entropy `log pi_k - H(P_k)`; none sees which answer
is right. Two rare patterns are sure of a wrong answer: shortcuts.
"""

import numpy as np

from experiments.gallery.models import internal_feedback as internal
from experiments.gallery.models.internal_feedback import LATE, TIMES
from experiments.gallery.verdict import Claim, Finding, judged

TITLE = "No Free Lunch: Rethinking Internal Feedback for LLM Reasoning"
SOURCE = "arXiv 2506.17219"

CLAIMS = (
    Claim(
        "equivalence",
        "self-certainty, token and trajectory entropy are partly equivalent",
        "two answers: same order in all problems; uniform base: same gradients of "
        "token and trajectory entropy; five answers: mean cosines above 0.3, and no "
        "two signals with the same winner in 90 % of problems",
        "reproduced",
    ),
    Claim(
        "below-base",
        "accuracy rises at first as with RLVR, then falls below the base model",
        "self-certainty and token entropy, natural gradient, base model that follows "
        "success: mean peak gain above 0.05, and most problems end 0.01 below base; "
        "refuted if fewer than 20 % do",
        "reproduced",
    ),
    Claim(
        "low-entropy",
        "a model of low entropy gains little",
        "mean peak gain by headroom falls with the entropy of the base model at equal "
        "base accuracy, for all three signals; refuted if for none",
        "partly",
    ),
    Claim(
        "format",
        "the early rise is mostly format: right answers of any format do not rise",
        "formatted right answers rise by 0.03, those of any format by less than "
        "a tenth of that, then both end below base: in the example and in most "
        "benchmarks, whether confidence is related to success (bias 1) or not (0)",
        "partly",
    ),
    Claim(
        "words",
        "fewer transition words while confidence rises",
        "patterns have no token positions",
        "out of reach",
    ),
)


def compute(rng, quick, progress):
    """Three internal signals and RLVR on random models; the example; benchmarks."""
    import simulator as sim

    del progress
    natural, number = sim.NaturalGradient(), 60 if quick else 200
    kernel, logits = internal.random_models(rng, number)
    problem = sim.Problem(logits=logits, answer_kernel=kernel)
    rates, start = map(np.asarray, (problem.success_rates, problem.log_policy))
    accuracy = np.sum(np.exp(start) * rates, axis=-1)
    paid = internal.signals(problem)
    curves = internal.accuracies(rates, start, paid[[0, 1, 3]], natural, TIMES)
    own = sim.SequenceLogProbability()
    logs = internal.followed(problem, own, natural, TIMES / 10)
    own = np.sum(np.exp(logs) * rates[..., None, :], axis=-1)
    curves = np.stack([curves[0], curves[1], own, curves[2]])
    few, first, pays = (x[..., 1, :, :60, :] for x in (rates, start, paid[[0, 1, 3]]))
    slow = internal.accuracies(few, first, pays, None, LATE)
    gain, change = internal.gains(curves, accuracy)
    return {
        "times": TIMES,
        "reported": internal.REPORTED,
        "curves": curves[:, 1, 1].mean(axis=1),
        "accuracy": accuracy.mean(axis=-1),
        "entropy": sim.entropy(start).mean(axis=-1),
        "relative": gain.mean(axis=-1) / (rates.max(axis=-1) - accuracy).mean(axis=-1),
        "gain": gain[:, 1, 1],
        "change": change[:, 1, 1],
        "slow_change": internal.gains(slow, accuracy[1, :, :60])[1][:, 1],
        "early": (slow[..., LATE < 30].max(-1) - accuracy[1, :, :60]).mean(axis=-1),
        "five": internal.five_patterns(natural),
        "ends_at_C2": paid[2].argmax(axis=-1) == logs[..., -1, :].argmax(axis=-1),
        **internal.equivalences(rng, kernel[0, 0]),
        **internal.formats(rng, 40 if quick else 100, natural),
    }


def findings(data):
    """The verdicts, from the saved data alone."""
    gain, change = data["gain"], data["change"]
    below, shapes = change[:2] < -0.01, internal.shapes(gain[:2], change[:2])
    shares = [float((shapes == i).mean()) for i in range(4)]
    relative = data["relative"][:3, 0]
    falls = (np.diff(relative, axis=1) < 0).all(axis=1)
    same = data["same_order"].all() and data["flat_error"] < 1e-12
    partly = data["cosines"].min() > 0.3 and data["same_winner"].max() < 0.9
    example, mostly = data["example_mostly"], data["benchmark_mostly"]
    unrelated, related = mostly.mean(axis=1) > 0.5
    if example and not unrelated:
        format_verdict = "possible"
    else:
        format_verdict = judged(example and unrelated and related, not example)
    return [
        Finding(
            "equivalence",
            judged(same and partly, not same),
            {
                "difference of steps at a uniform base": data["flat_error"],
                "cosines sc-te, te-trajectory, sc-trajectory": data["cosines"].tolist(),
                "same winner": data["same_winner"].tolist(),
            },
            data["same_order"],
        ),
        Finding(
            "below-base",
            judged(
                gain[:2].mean(axis=1).min() > 0.05 and below.mean(axis=1).min() > 0.5,
                below.mean(axis=1).min() < 0.2,
            ),
            {
                "peak gain of sc, te, trajectory, RLVR": gain.mean(axis=1).tolist(),
                "end against base": change.mean(axis=1).tolist(),
                "five patterns, te: start, top, end": data["five"][1, 0].tolist(),
                "sharp base, sc": data["five"][0, 1].tolist(),
                "end below base": (change < -0.01).mean(axis=1).tolist(),
                "rise only, fall only, rise then fall, rise then below": shares,
                "below base at t = 1e6, policy gradient": (
                    (data["slow_change"][:2] < -0.01).mean(axis=1).tolist()
                ),
            },
            below,
        ),
        Finding(
            "low-entropy",
            judged(falls.all(), not falls.any()),
            {
                "entropy": data["entropy"][0].tolist(),
                "gain by headroom sc": relative[0].tolist(),
                "te": relative[1].tolist(),
                "trajectory": relative[2].tolist(),
                "aligned, policy gradient to t = 30: sc": data["early"][0].tolist(),
                "RLVR": data["early"][2].tolist(),
                "trajectory ends at the winner of C2": data["ends_at_C2"].mean(),
            },
        ),
        Finding(
            "format",
            format_verdict,
            {
                "in the example": float(example),
                "in benchmarks by bias 0, 1": mostly.mean(axis=1).tolist(),
                "right, any format, reported at steps 0, 20, 40": [291, 289, 235],
            },
            mostly[0],
        ),
        Finding("words", "out of reach", {"token positions": 0}),
    ]


def draw(data):
    """Accuracy in time; gain by entropy; format; the numbers of the paper."""
    from experiments.pictures.style import CYCLE, GREY, grid

    figure, axes = grid(2, 2)
    (first, second), (third, last) = axes
    words = "self-certainty", "token entropy", "trajectory entropy", "RLVR"
    for i, word in enumerate(words):
        times = data["times"] / (10 if i == 2 else 1)
        first.plot(times, data["curves"][i], color=CYCLE[i], label=word)
    first.axhline(data["accuracy"][1, 1], color=GREY, lw=0.8, ls="--")
    first.set(xscale="log", xlabel="flow time $t$ (natural gradient)", ylim=(0, 1))
    first.set(
        ylabel="mean accuracy", title="a rise, then below the base model (dashed)"
    )
    first.legend()
    for i, word in enumerate(words[:3]):
        line = data["relative"][i, 0]
        second.plot(data["entropy"][0], line, "o-", ms=3, color=CYCLE[i], label=word)
    second.set(xlabel="entropy of the base model (nats)", ylabel="peak gain / headroom")
    second.set(ylim=(0, None), title="low entropy: a ceiling for one (colours as left)")
    times = np.concatenate([data["times"][:1] / 2, data["times"]])
    for i, word in enumerate(("right, with format", "right, any format")):
        third.plot(times, data["example"][i], color=CYCLE[i], label=word)
    third.set(xscale="log", xlabel="flow time $t$", ylim=(0, 1))
    third.set(ylabel="share of answers", title="example: the rise is format only")
    third.legend()
    for i, word in enumerate(("MATH500", "GSM8K")):
        row = data["reported"][i + 1]
        last.plot(data["reported"][0], row, "s-", ms=3, color=CYCLE[4 + i], label=word)
    last.set(xlabel="training step", ylabel="accuracy", ylim=(0, 1))
    last.set_title("Qwen2.5-3B, as reported by a secondary source")
    last.legend()
    return figure
