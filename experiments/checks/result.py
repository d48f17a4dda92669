"""The interface of a check: its job and its result."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

# Relative error allowed to a hitting time or a log-probability of the numerical flow;
# ten times what was measured against solutions at tolerance 1e-11 (see benchmarks/).
NUMERICAL = 1e-7
# The same for the closed-form engine, and for rounding in the bounds.
EXACT = 1e-9


@dataclass(frozen=True)
class Job:
    """One chunk of a check: `number` problems out of `total`, after `done` others.

    Claims that need slow predictions look at the first problems only (`at_most`), and
    report that number; those without random problems are checked in the first chunk.
    """

    rng: np.random.Generator
    number: int
    total: int
    done: int = 0
    progress: Callable[[int, int], None] | None = None

    @property
    def first(self) -> bool:
        """No chunk came before."""
        return self.done == 0

    def at_most(self, limit: int) -> int:
        """How many of the first `limit` problems fall into this chunk."""
        return max(0, min(self.number, limit - self.done))


@dataclass(frozen=True)
class CheckResult:
    """Margins `[problems]`; `unresolved` lanes are not among them.

    `worst`: the inputs of the problem with the smallest margin.
    """

    id: str
    measures: str
    margins: np.ndarray
    unresolved: int = 0
    worst: dict[str, Any] | None = None
    allowance: float = NUMERICAL
    note: str = ""
    cells: list[dict[str, Any]] | None = None

    @property
    def violations(self) -> int:
        return int(np.sum(~(self.margins >= -self.allowance)))

    @property
    def lowest(self) -> float:
        """The smallest margin; a NaN counts as the smallest."""
        if not self.margins.size:
            return np.inf
        return float(np.min(np.where(np.isnan(self.margins), -np.inf, self.margins)))


Check = Callable[[Job], list[CheckResult]]


def scored(
    id: str,
    measures: str,
    margin: Any,
    resolved: Any = None,
    where: Any = None,
    *,
    allowance: float = EXACT,
    note: str = "",
    **inputs: Any,
) -> CheckResult:
    """Margins of the lanes with something to say (`where`) that could be `resolved`.

    Both are `[problems]`, True by default; `log_policy` is shown as `policy`.
    """
    margin = np.asarray(margin, dtype=float)
    here = np.broadcast_to(True if where is None else where, margin.shape)
    known = np.broadcast_to(True if resolved is None else resolved, margin.shape)
    keep = np.flatnonzero(here & known)
    worst = None
    if keep.size:
        left = margin[keep]
        lane = keep[np.argmin(np.where(np.isnan(left), -np.inf, left))]
        worst = dict(_readable(key, value[lane]) for key, value in inputs.items())
    lost = int((here & ~known).sum())
    return CheckResult(id, measures, margin[keep], lost, worst, allowance, note)


def _readable(key: str, value: Any) -> tuple[str, Any]:
    return ("policy", np.exp(value)) if key == "log_policy" else (key, value)


def merged(parts: list[CheckResult]) -> CheckResult:
    """Parts of one claim (sizes, engines, chunks) as one result."""
    first = parts[0]
    return CheckResult(
        first.id,
        first.measures,
        np.concatenate([part.margins for part in parts]),
        sum(part.unresolved for part in parts),
        min(parts, key=lambda part: part.lowest).worst,
        first.allowance,
        next((part.note for part in parts if part.note), ""),
        first.cells,
    )


def by_claim(results: list[CheckResult]) -> list[CheckResult]:
    """Results with the same id merged, in order of first appearance."""
    claims: dict[str, list[CheckResult]] = {}
    for result in results:
        claims.setdefault(result.id, []).append(result)
    return [merged(parts) for parts in claims.values()]
