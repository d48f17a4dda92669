"""A hard chain of levels, trained with the first steps given."""

import numpy as np

from experiments.gallery.models.chains import chain, success, trained, up_to

LEVELS = 16
# Tasks of stage two: steps that are given, or from LEVELS on depths.
VARIANTS: dict[str, list[int] | None] = {
    "hard only": [0],
    "given 0, 4, 8, 12": [0, 4, 8, 12],
    "given 0, 4, 8, 12, 14, 15": [0, 4, 8, 12, 14, 15],
    "backward": None,
    "mixed depths": list(range(LEVELS, 2 * LEVELS)),
}


def follow(rng, number, data):
    """Success at the hard problem after each variant of stage two, `[V, models]`.

    Models: features shared over 1.5 levels, over none, and random ones.
    """
    width = np.append([1.5, 0.0], rng.uniform(1, 2, number))
    easy = np.append([3.5, 3.5], rng.uniform(3, 4, number))
    weak = np.append([0.3, 0.3], rng.uniform(0.2, 0.4, number))
    first = np.arange(LEVELS) < LEVELS // 2
    odds = np.log(weak / (1 - weak))[:, None]
    base = chain(np.where(first, easy[:, None], odds), width)
    given = 1 - up_to(np.arange(LEVELS), LEVELS)
    tasks = np.concatenate([given, up_to(np.arange(1, LEVELS + 1), LEVELS)])

    def weights(chosen):
        return np.isin(np.arange(len(tasks)), chosen)

    begun, _ = trained(base, tasks, weights(np.arange(LEVELS, 24)), 30.0)
    data["begun"] = success(begun, tasks)[:, 0]
    ends, levels = [], []
    for chosen in VARIANTS.values():
        # Backward: one step less given every time.
        backward = [[m] for m in range(LEVELS - 1, -1, -1)]
        here, stages = begun, backward if chosen is None else [chosen]
        for stage in stages:
            here, ended = trained(here, tasks, weights(stage), 60.0 / len(stages))
        ends.append(ended[:, 0])
        levels.append(success(here, np.eye(LEVELS)).mean(axis=1))
    data["scaffold"], data["levels"] = np.array(ends), np.array(levels)
    data["base_levels"] = success(begun, np.eye(LEVELS)).mean(axis=1)
