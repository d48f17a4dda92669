"""Whose answers a rollout is compared with.

To add a judge, write a small class here.
"""

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from simulator.rollouts.groups import Group

__all__ = [
    "AbstractJudge",
    "OwnGroup",
    "Teacher",
]


class AbstractJudge(eqx.Module):
    """Whose answers a rollout is compared with."""

    @abstractmethod
    def shares(self, group: Group) -> Float[Array, " A"]:
        """The share of each answer."""

    @abstractmethod
    def agreement(self, group: Group) -> Float[Array, " A"]:
        """The chance that another answer of the judge agrees with a rollout's."""


class OwnGroup(AbstractJudge):
    """The rollouts of the group. Agreement leaves the rollout itself out."""

    def shares(self, group):
        return group.votes / group.size

    def agreement(self, group):
        return (group.votes - 1) / (group.size - 1)


class Teacher(AbstractJudge):
    """An older copy of the policy, by its exact answer probabilities.

    The copy is a moving average of the parameters, see `Recipe.teacher_decay`.
    """

    def shares(self, group):
        return jnp.exp(group.teacher) @ group.answer_chances

    def agreement(self, group):
        return self.shares(group)
