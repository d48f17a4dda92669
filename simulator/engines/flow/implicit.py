r"""The policy gradient with a KL penalty or demonstrations, by implicit steps.

Near its rest point each pattern relaxes at its own rate, with a penalty `beta pi_k`,
and the rates differ by factors of `exp(gap / beta)`: explicit steps are as short as the
fastest pattern allows, while the slowest takes that much longer. Implicit ones are not.

With `f_k = rho_k - beta log(pi_k / pi_ref_k)`, `A_k = f_k - sum_j pi_j f_j` and
`F_kj = d rho_k / d theta_j` (0 for fixed rewards), the Jacobian of the velocity
`pi_k A_k` is `pi_k M_kj`, in which rows sum to 0 and for k != j

    M_kj = F_kj - sum_l pi_l F_lj + pi_j (beta - A_k - A_j).

For fixed rewards this is a diagonal and two parts of rank one, and a system costs of
order K. Three things keep the digits of patterns of probability 1e-100. Each row of the
system is divided by `1 + h pi_k` (the clock included), so that none is lost next to
another. Diagonals come from the sums of rows. And the row of the most likely pattern,
whose velocity is a difference of the others', says that the logits' sum is conserved.

The clock is `ell = log(1 + t / t_ref)`: what happens in a short time late in a run asks
for a step that is short compared with ell, and the logits are told its size, not its
ends.
"""

from collections.abc import Callable
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from simulator.dynamics import Dynamics
from simulator.engines.flow import rodas5p
from simulator.engines.flow.clock import AbstractFlowPath, FlowPoint, rescaling
from simulator.engines.path import Move, Stride, Target
from simulator.numerics.linear import factorised, solved

Solver = Callable[[Float[Array, " K"]], Float[Array, " K"]]


class StiffPath(AbstractFlowPath):
    """The numerical solution by Rodas5P, in the clock of the module's docstring."""

    dynamics: Dynamics
    log_t_ref: Float[Array, ""]

    method: ClassVar[str] = "implicit"

    def start(self) -> FlowPoint:
        """The base policy."""
        return self.base()

    def here(self, state):
        return state

    def slope(self, state, size):
        del size
        point = self.dynamics.point(self.policy_of(state.logits))
        log_rate = point.log_speed + self.log_t_ref + state.ell
        return jnp.where(point.direction == 0, 0.0, point.direction * jnp.exp(log_rate))

    def inside(self, view, size):
        return self._step(view, size)[0]

    def move(self, stride: Stride, target: Target, tolerance) -> Move:
        """A step whose estimated error is below `tolerance`."""
        here = stride.state
        room = self.ell_at(target.log_time) - here.ell
        landing = stride.size >= room
        size = jnp.where(landing, room, stride.size)
        end, error = self._step(here, size)
        scaled = (
            jnp.sqrt(jnp.sum(error**2) / jnp.sum(self.support, dtype=error.dtype))
            / tolerance
        )
        good = scaled <= 1
        landed = good & landing
        next_size = size * rescaling(scaled, rodas5p.ORDER)
        # A step cut short says nothing against longer ones.
        next_size = jnp.where(landed, jnp.maximum(next_size, stride.size), next_size)
        return self.attempt(
            here,
            end,
            next_size,
            landing=jnp.asarray(False),
            size=size,
            accepted=good,
            landed=landed,
            hopeless=~good & (next_size < jnp.finfo(size.dtype).tiny),
        )

    def _step(self, here: FlowPoint, size) -> tuple[FlowPoint, Float[Array, " K"]]:
        """The end of a step in ell, and the estimated error of the logits there."""
        log_probs, inside = self.policy_of(here.logits), self.support
        advantage = self._advantage(log_probs)
        # Row k of h df/dy is `clock_k M_k`, as are those of f except for a factor.
        log_clock = log_probs + self.log_t_ref + here.ell + jnp.log(size)
        moves, stays = jax.nn.sigmoid(log_clock), jax.nn.sigmoid(-log_clock)
        likeliest = jnp.arange(len(log_probs)) == jnp.argmax(log_probs)
        free = inside & ~likeliest
        if self.dynamics.signal.fixed:
            solve = self._by_parts(log_probs, advantage, moves, stays, likeliest)
        else:
            solve = self._whole(log_probs, advantage, moves, stays, likeliest)

        def right_side(logits, alpha, g, carried):
            new = self.policy_of(logits)
            growth = jnp.exp(jnp.where(inside, new - log_probs, 0.0) + alpha * size)
            kick = growth * self._advantage(new) + g * size * advantage
            whole = rodas5p.GAMMA * (moves * kick + stays * carried)
            return jnp.where(free, whole, 0.0)

        logits, error = rodas5p.step(here.logits, right_side, solve)
        return FlowPoint(logits, here.ell + size), error

    def _advantage(self, log_probs) -> Float[Array, " K"]:
        values = self.dynamics.point(log_probs).advantage.values()
        return jnp.where(self.support, values, 0.0)

    def _slope(self, log_probs, advantage) -> Float[Array, "K K"]:
        """M of the module's docstring; rows and columns outside the support are 0."""
        policy, inside = jnp.exp(log_probs), self.support
        logits = jnp.where(inside, log_probs, 0.0)
        beta = self.dynamics.update.beta
        table = policy[None] * (beta - advantage[:, None] - advantage[None])
        problem, signal = self.dynamics.problem, self.dynamics.signal
        pay = jax.jacfwd(lambda x: signal(problem, self.policy_of(x)))(logits)
        pay = jnp.where(inside[:, None], pay, 0.0)
        table = table + pay - (policy @ pay)[None]
        off = inside[:, None] & inside[None] & ~jnp.eye(len(log_probs), dtype=bool)
        table = jnp.where(off, table, 0.0)
        return table - jnp.diag(jnp.sum(table, axis=1))

    def _whole(self, log_probs, advantage, moves, stays, likeliest) -> Solver:
        """The solution of the system of a step, its rows divided as they are."""
        slope = self._slope(log_probs, advantage)
        matrix = jnp.diag(stays) - rodas5p.GAMMA * moves[:, None] * slope
        conserved = jnp.where(self.support, 1.0, 0.0)[None, :]
        factors = factorised(jnp.where(likeliest[:, None], conserved, matrix))
        return lambda right_side: solved(factors, right_side)

    def _by_parts(self, log_probs, advantage, moves, stays, likeliest) -> Solver:
        """`_whole` for fixed rewards.

        With `p = sum_j pi_j y_j` and `q = sum_j pi_j A_j y_j` its rows are

            (stays + gamma moves (beta - A)) y - gamma moves ((beta - A) p - q) = b,

        linear in y once p and q are known, and those are the roots of two equations.
        """
        policy = jnp.exp(log_probs)
        pull = self.dynamics.update.beta - advantage
        clock = rodas5p.GAMMA * moves
        free = self.support & ~likeliest
        scale = jnp.where(free, stays + clock * pull, 1.0)
        by_p = jnp.where(free, clock * pull / scale, 0.0)
        by_q = jnp.where(free, -clock / scale, 0.0)

        def mean(weights, y):
            # The likeliest pattern has minus the sum of the others.
            its_own = jnp.sum(jnp.where(likeliest, weights, 0.0))
            return jnp.sum(jnp.where(free, (weights - its_own) * y, 0.0))

        def sums(y):
            """p and q."""
            return mean(policy, y), mean(policy * advantage, y)

        (a, c), (b, d) = sums(by_p), sums(by_q)
        determinant = (1 - a) * (1 - d) - b * c

        def solve(right_side):
            y = right_side / scale
            p, q = sums(y)
            p, q = (1 - d) * p + b * q, c * p + (1 - a) * q
            y = y + (p * by_p + q * by_q) / determinant
            return jnp.where(likeliest, -jnp.sum(jnp.where(free, y, 0.0)), y)

        return solve
