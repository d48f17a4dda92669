"""Signs of the eigenvalues of small symmetric matrices, in plain JAX.

LAPACK's routines for many matrices wait for threads that programs on several devices
of one CPU may hold, for ever.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from simulator.numerics.ties import rounding

Matrix = Float[Array, "K K"]
HALVINGS = 60  # 1.5^60 = 4e10: smaller eigenvalues, over the largest, count as 0


def is_positive_definite(matrix: Matrix) -> Bool[Array, ""]:
    """Whether all eigenvalues are positive, and not by rounding alone.

    By the pivots of `L D L^T`; of order `K^3`.
    """
    least = rounding(matrix.dtype) * jnp.max(jnp.abs(matrix))

    def eliminate(k, carry):
        left, positive = carry
        pivot, column = left[k, k], left[:, k]
        safe = jnp.where(pivot > least, pivot, 1.0)
        return left - jnp.outer(column, column) / safe, positive & (pivot > least)

    begin = matrix, jnp.asarray(True)
    return jax.lax.fori_loop(0, len(matrix), eliminate, begin)[1]


def not_negative_part(matrix: Matrix) -> Matrix:
    """`(I + sign) / 2`: 1 for positive eigenvalues, 1/2 for 0, and 0 for negative ones.

    The sign by Newton and Schulz's iteration, `X <- X (3 - X^2) / 2`.
    """
    eye = jnp.eye(len(matrix), dtype=matrix.dtype)
    size = jnp.sqrt(jnp.sum(matrix**2))

    def iterate(_, x):
        return 0.5 * x @ (3 * eye - x @ x)

    first = matrix / jnp.where(size > 0, size, 1.0)
    return 0.5 * (eye + jax.lax.fori_loop(0, HALVINGS, iterate, first))
