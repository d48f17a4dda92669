"""Systems of linear equations, solved lane by lane.

JAX hands many matrices at once to LAPACK on XLA's own threads, and waits for them: on
several devices of one CPU for ever, if these hold all threads. One matrix at a time is
solved where it stands.
"""

import jax
from jaxtyping import Array, Float, Int

Matrix = Float[Array, "K K"]
Vector = Float[Array, " K"]
Factors = tuple[Matrix, Int[Array, " K"]]


@jax.custom_batching.sequential_vmap
def factorised(matrix: Matrix) -> Factors:
    """The factors of a matrix, as `solved` takes them."""
    # Takes a while to import, and only rewards that move need it.
    from jax.scipy.linalg import lu_factor

    return lu_factor(matrix)


@jax.custom_batching.sequential_vmap
def solved(factors: Factors, right_side: Vector) -> Vector:
    """The y of `matrix @ y = right_side`."""
    from jax.scipy.linalg import lu_solve

    return lu_solve(factors, right_side)
