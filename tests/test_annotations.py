"""Annotations are true: everyday calls with every argument and result checked.

In a process of its own, in which the package is imported under jaxtyping and beartype,
and JAX refuses to mix types of numbers, and arrays of different rank.
"""

import subprocess
import sys

import pytest

HEAD = """
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import install_import_hook

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
with install_import_hook("simulator", "beartype.beartype"):
    import simulator as sim
    from simulator import rollouts as ro

    for package in (sim, ro):
        for name in package.__all__:
            getattr(package, name)
rates, kernel = [0.9, 0.6, 0.1], [[0.9, 0.05, 0.05], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]]
problem = sim.Problem(rates, [0.05, 0.7, 0.25], answer_kernel=kernel)
gap = sim.Gap(1e-2)
"""
CALLS = {
    "exact": """
events = [
    sim.T0(), sim.Crossing(), sim.PeakAccuracy(), sim.BelowBase(), sim.Leads(1),
    sim.LowestOptimalProbability(), sim.Accuracy(0.3), sim.OptimalProbability(0.5),
    sim.SuboptimalMass(0.3),
]
sim.solve(problem, sim.FixedConfidence([0.1, 0.2, 0.4]), until=gap, events=events)
for update in (sim.NaturalGradient(0.1), sim.GRPO(8), sim.PassAtN(8), sim.GroupMean(4)):
    sim.solve(problem, sim.Verifiable(), update, max_log_time=3.0)
sim.solve(problem, sim.NoisyVerifier(0.1, 0.2), sim.RejectionSampling(), until=gap)
sim.solve(problem, sim.SelfCertainty(), save_log_times=[0.0, 1.0])
sim.solve(problem, sim.TokenEntropy(), max_log_time=3.0)
sim.plateaus(problem, sim.Verifiable())
path = sim.trace(problem, sim.NoisyVerifier(0.1), [sim.GRPO(8), sim.PolicyGradient()])
path.times("grpo"), path.accuracy, path.to_pandas(), path.notes
""",
    "derivatives": """
def log_time(logits):
    one = sim.Problem(jnp.array(rates), logits=logits)
    return sim.solve(one, sim.Verifiable(), until=gap).log_time

jax.grad(log_time)(jnp.array([0.0, 1.0, 0.5]))
""",
    "batches": """
rng = np.random.default_rng(0)
many = sim.Problem(rng.uniform(size=(5, 3)), logits=rng.normal(size=(5, 3)))
sim.solve(many, sim.Verifiable(), until=sim.Gap(np.full(5, 1e-2)), events=[sim.T0()])
sim.train(many, sim.Verifiable(), None, optax.sgd(0.5), num_steps=3)
""",
    "flow": """
sim.flow(problem, sim.Verifiable(), until=gap, events=[sim.T0(), sim.Accuracy(0.7)])
for signal in (sim.SequenceLogProbability(), sim.MajorityVote(), sim.SelfConsistency()):
    sim.solve(problem, signal, max_log_time=3.0)
sim.solve(problem, sim.AnswerEntropy(), sim.NaturalGradient(), max_log_time=3.0)
sim.solve(problem, sim.Demonstrations([0.2, 0.5, 0.3]))
sim.solve(problem, sim.Verifiable(), sim.PolicyGradient(0.1))
bonus = sim.Mixture([sim.Verifiable(), sim.SequenceLogProbability()], [1.0, -0.3])
sim.solve(problem, bonus, sim.NaturalGradient())
""",
    "rollouts": """
estimators = [ro.GRPO(), ro.RLOO(), ro.GroupMean(), ro.Reinforce(), ro.Delight()]
for estimator in (*estimators, ro.PassAtNReward(), ro.PassAtNAdvantage()):
    ro.train(problem, ro.Recipe(estimator=estimator, num_steps=2), num_seeds=3)
feedbacks = [ro.MajorityVote(), ro.SelfConsistency(), ro.SelfCertainty()]
for feedback in (*feedbacks, ro.AnswerEntropy(), ro.SequenceLogProbability()):
    ro.train(problem, ro.Recipe(feedback=feedback, num_steps=2), num_seeds=3)
ro.expected_step(problem, ro.Recipe(group_size=4))
ro.train(problem, ro.Recipe(group_size=256, num_steps=2), num_seeds=3)
""",
    "observables": """
log_probs, s = problem.log_policy, problem.success_rates
sim.accuracy(log_probs, s), sim.entropy(log_probs), sim.kl(log_probs, log_probs)
sim.pass_at_n(log_probs, s, 8), sim.best_value(log_probs, s), sim.log_gap(log_probs, s)
""",
    "a wrong annotation": """

from simulator.numerics.logspace import total
try:
    total(jnp.zeros(3, int))
except Exception as error:
    assert "TypeCheckError" in type(error).__name__
else:
    raise AssertionError("nothing is checked")
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("calls", CALLS.values(), ids=CALLS)
def test_arguments_and_results_are_what_annotations_say(calls):
    command = [sys.executable, "-c", HEAD + calls]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
