"""By which spread GRPO divides: `run` and the recipes of `train` differ by default.

The statements of `theory/` take the population's standard deviation and add nothing;
the recipe `grpo` takes the sample's and adds 1e-4, as training libraries do.
"""

from typing import Any


def _words(grpo: Any) -> str:
    return f"{grpo.spread} standard deviation + {grpo.epsilon:g}"


def _is_usual(grpo: Any, usual: Any) -> bool:
    return (grpo.spread, grpo.epsilon) == (usual.spread, usual.epsilon)


def in_run(update: Any) -> str | None:
    """Which spread this update of `run` takes, and that of `train`; None if none."""
    import simulator as sim
    from experiments.text import objects, recipes

    grpo = objects.named(sim.AbstractUpdate, update, "--update")
    if not isinstance(grpo, sim.GRPO):
        return None
    usual = recipes.load("grpo").estimator
    if _is_usual(grpo, usual):
        return f"{_words(grpo)}, as in train --recipe grpo"
    other = f"--spread {usual.spread} --epsilon {usual.epsilon:g}"
    return f"{_words(grpo)}; to match train --recipe grpo, add {other}"


def in_train(recipe: Any) -> str | None:
    """Which spread the estimator of a recipe takes, and that of `run`; None if none."""
    import simulator as sim
    from simulator import rollouts

    grpo = recipe.estimator
    while isinstance(grpo, rollouts.Delight):
        grpo = grpo.of
    if not isinstance(grpo, rollouts.GRPO):
        return None
    usual = sim.GRPO()
    if _is_usual(grpo, usual):
        return f"{_words(grpo)}, as in run --update grpo"
    other = f'spread = "{usual.spread}", epsilon = {usual.epsilon:g}'
    return f"{_words(grpo)}; to match run --update grpo, set {other} in the recipe"
