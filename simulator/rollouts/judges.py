"""Whose answers a rollout is compared with.

To add a judge, write a small class here.
"""

from abc import abstractmethod

import jax.numpy as jnp
from jaxtyping import Array, Float

from simulator.reporting.display import Part
from simulator.rollouts.groups import Group

__all__ = [
    "AbstractJudge",
    "OwnGroup",
    "Teacher",
]


class AbstractJudge(Part):
    """Whose answers a rollout is compared with.

    >>> issubclass(ro.Teacher, ro.AbstractJudge)
    True
    """

    @abstractmethod
    def shares(self, group: Group) -> Float[Array, " A"]:
        """The share of each answer."""

    @abstractmethod
    def agreement(self, group: Group) -> Float[Array, " A"]:
        """The chance that another answer of the judge agrees with a rollout's."""


class OwnGroup(AbstractJudge):
    """The rollouts of the group. Agreement leaves the rollout itself out.

    >>> ro.MajorityVote(ro.OwnGroup()).judge
    OwnGroup()
    """

    def shares(self, group):
        return group.votes / group.size

    def agreement(self, group):
        return (group.votes - 1) / (group.size - 1)


class Teacher(AbstractJudge):
    """An older copy of the policy, by its exact answer probabilities.

    The copy is a moving average of the parameters, see `Recipe.teacher_decay`.

    >>> kernel = [[0.9, 0.1], [0.3, 0.7]]
    >>> problem = sim.Problem(policy=[0.2, 0.8], answer_kernel=kernel)
    >>> recipe = ro.Recipe(
    ...     feedback=ro.MajorityVote(ro.Teacher()), estimator=ro.RLOO(), group_size=4
    ... )
    >>> np.round(ro.expected_step(problem, recipe), 4)
    Array([-0.0096,  0.0096], dtype=float64)
    """

    def shares(self, group):
        return jnp.exp(group.teacher) @ group.answer_chances

    def agreement(self, group):
        return self.shares(group)
