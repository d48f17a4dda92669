r"""One step of Rodas5P, a stiffly accurate L-stable Rosenbrock method of order 5.

For `dy/ds = f(s, y)` and a step of size h, with `M = 1/(h gamma) - df/dy` at its start,

    M U_i = f(s + alpha_i h, y + sum_j a_ij U_j) + sum_j c_ij U_j / h + g_i h df/ds,

and `y + sum_j a_8j U_j + U_8` is the end, `U_8` the estimate of its error (the end less
an embedded result of order 4). One matrix serves all eight stages, and nothing is
iterated. Coefficients: G. Steinebach, BIT Numer. Math. 63 (2023) 27.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Vector = Float[Array, " K"]

STAGES, ORDER = 8, 5
GAMMA = 0.21193756319429014
_LAST = (
    *(-7.502846399306121, 2.561846144803919, -11.627539656261098),
    *(-0.18268767659942256, 0.030198172008377946),
)
_A = (
    (),
    (3.0,),
    (2.849394379747939, 0.45842242204463923),
    (-6.954028509809101, 2.489845061869568, -10.358996098473584),
    (
        *(2.8029986275628964, 0.5072464736228206, -0.3988312541770524),
        -0.04721187230404641,
    ),
    _LAST,
    (*_LAST, 1.0),
    (*_LAST, 1.0, 1.0),
)
_C = (
    (),
    (-14.155112264123755,),
    (-17.97296035885952, -2.859693295451294),
    (147.12150275711716, -1.41221402718213, 71.68940251302358),
    (
        *(165.43517024871676, -0.4592823456491126, 42.90938336958603),
        -5.961986721573306,
    ),
    (
        *(24.854864614690072, -3.0009227002832186, 47.4931110020768),
        *(5.5814197821558125, -0.6610691825249471),
    ),
    (
        *(30.91273214028599, -3.1208243349937974, 77.79954646070892),
        *(34.28646028294783, -19.097331116725623, -28.087943162872662),
    ),
    (
        *(37.80277123390563, -3.2571969029072276, 112.26918849496327),
        *(66.9347231244047, -40.06618937091002, -54.66780262877968),
        -9.48861652309627,
    ),
)
_ALPHA = (
    *(0.0, 0.6358126895828704, 0.4095798393397535, 0.9769306725060716),
    *(0.4288403609558664, 1.0, 1.0, 1.0),
)
_G = (
    *(0.21193756319429014, -0.42387512638858027, -0.3384627126235924),
    *(1.8046452872882734, 2.325825639765069, 0.0, 0.0, 0.0),
)


def _square(rows: tuple[tuple[float, ...], ...]) -> np.ndarray:
    return np.array([(*row, *[0.0] * (STAGES - len(row))) for row in rows])


def step(
    start: Vector,
    right_side: Callable[[Vector, Array, Array, Vector], Vector],
    solve: Callable[[Vector], Vector],
) -> tuple[Vector, Vector]:
    """The end of a step, and the estimated error there.

    `right_side(y, alpha, g, carried)` is the right-hand side of a stage at `y`, with
    `carried = sum_j c_ij U_j`; `solve` undoes the matrix. Both may scale rows by
    the same factors.
    """
    a, c = (jnp.asarray(_square(rows), start.dtype) for rows in (_A, _C))
    alpha, g = (jnp.asarray(x, start.dtype) for x in (_ALPHA, _G))

    def stage(i, found):
        y = start + a[i] @ found
        return found.at[i].set(solve(right_side(y, alpha[i], g[i], c[i] @ found)))

    blank = jnp.zeros((STAGES, *start.shape), start.dtype)
    found = jax.lax.fori_loop(0, STAGES, stage, blank)
    return start + a[-1] @ found + found[-1], found[-1]
