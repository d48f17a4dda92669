"""Integrals over (0, 1) of functions that are singular at the ends.

Trapezoidal rule in the log odds `y = log(x / (1 - x))`: exact to rounding for
integrands that are analytic inside and have logarithmic or integrable algebraic ends,
as the laws of success rates do. `sum(WEIGHTS * g(POINTS))` is the integral of g;
`LOG_LEFT = log x`, `LOG_RIGHT = log(1 - x)` keep full accuracy at both ends.
"""

from typing import Final

import numpy as np
from scipy.special import log_expit

from theory.support import Floats

_LOG_ODDS = np.linspace(-45.0, 45.0, 1201)
LOG_LEFT: Final[Floats] = log_expit(_LOG_ODDS)
LOG_RIGHT: Final[Floats] = log_expit(-_LOG_ODDS)
POINTS: Final[Floats] = np.exp(LOG_LEFT)
WEIGHTS: Final[Floats] = np.exp(LOG_LEFT + LOG_RIGHT) * (_LOG_ODDS[1] - _LOG_ODDS[0])
