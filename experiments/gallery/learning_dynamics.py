"""Learning dynamics of RL post-training: shared features, and the classifier first.

Logits are `W h_q`. Their kernel is `<h_q, h_q'>` from the classifier, and
`<x_q, x_q'> W W^T` from the features `h = B x`. How little features vary is one number,
their Gram matrix `c + (1 - c) delta_qq'`.
"""

import numpy as np

from experiments.gallery.drawings.learning_dynamics import draw
from experiments.gallery.models import shared_features as shared
from experiments.gallery.verdict import Claim, Finding, judged

__all__ = ["compute", "draw", "findings"]

TITLE = "Learning Dynamics in RL Post-Training for Language Models"
SOURCE = "arXiv 2601.04670"

CLAIMS = (
    Claim(
        "confidence",
        "RL raises confidence on questions that it does not train, the less features "
        "vary",
        "success unrelated: held-out gain of the largest probability rises with c, is "
        "0.2 or more from c = 0.9 on, accuracy stays within 0.02; refuted if it does "
        "not rise or accuracy gains more than 0.1",
        "reproduced",
    ),
    Claim(
        "classifier-first",
        "training the classifier first accelerates RL",
        "equal total time and rates, accuracy at t = 40: reproduced if above joint "
        "training in the mean of most cells, refuted if in none",
        "refuted",
    ),
    Claim(
        "more-confident",
        "training the classifier first raises confidence",
        "the same for the largest probability",
        "refuted",
    ),
    Claim(
        "bottleneck",
        "effective learning depends on shaping the classifier fast",
        "classifier first against features first at t = 40: reproduced if better in "
        "all cells, refuted if in none",
        "partly",
    ),
)


def compute(rng, quick, progress):
    """Held-out questions by c; schedules of classifier and features."""
    del progress
    data = {"gram": shared.GRAM, "times": shared.TIMES, "cells": shared.CELLS}
    data["total"] = [*shared.FIRST, *(shared.FIRST[-1] + shared.SECOND)]
    shared.held_out(rng, 48 if quick else 100, data)
    shared.schedules(rng, 4 if quick else 15, data)
    return data


def findings(data):
    """The verdicts, from the saved data alone."""
    gain, accuracy = (
        data[key][:, 0].mean(axis=-1) for key in ("confidence", "accuracy")
    )
    late = data["gram"] >= 0.9
    rises, idle = (np.diff(gain) > 0).all(), np.abs(accuracy).max() <= 0.02
    first = data["by_schedule_end"]
    sure = data["confident_end"]
    faster, surer = first[1] - first[0], sure[1] - sure[0]
    before = first[1] - first[2]
    means = [x.mean(axis=1) for x in (faster, surer, before)]
    stage = data["by_schedule"]
    same = list(data["total"]).index(30)
    share = list(data["gram"]).index(0.9)
    return [
        Finding(
            "confidence",
            judged(
                rises and (gain[late] >= 0.2).all() and idle,
                not rises or np.abs(accuracy).max() > 0.1,
            ),
            {
                "gain of confidence by c": gain.tolist(),
                "of accuracy": accuracy.tolist(),
                "share with less entropy by c": data["lower"][:, 0, -1].tolist(),
                "in time, c = 0.9": data["lower"][share, 0].tolist(),
                "with a strong common prior, by c": data["lower"][:, 2, -1].tolist(),
            },
            data["confidence"][share, 0] >= 0.2,
        ),
        Finding(
            "classifier-first",
            judged((means[0] > 0).mean() > 0.5, (means[0] <= 0).all()),
            {
                "accuracy, joint, by cell": first[0].mean(axis=1).tolist(),
                "classifier first": first[1].mean(axis=1).tolist(),
                "at rate 10 for both": [float(first[i].mean()) for i in (3, 4)],
                "ahead in time of the second stage": np.mean(
                    stage[1, :, -1] - stage[0, :, same]
                ),
            },
            faster > 0,
        ),
        Finding(
            "more-confident",
            judged((means[1] > 0).mean() > 0.5, (means[1] <= 0).all()),
            {
                "confidence, joint": sure[0].mean(axis=1).tolist(),
                "classifier first": sure[1].mean(axis=1).tolist(),
            },
            surer > 0,
        ),
        Finding(
            "bottleneck",
            judged((means[2] > 0).all(), not (means[2] > 0).any()),
            {
                "classifier smaller": means[2][1::4].tolist(),
                "features smaller": means[2][2::4].tolist(),
                "both small": means[2][0::4].tolist(),
                "both large": means[2][3::4].tolist(),
            },
            before > 0,
        ),
    ]
