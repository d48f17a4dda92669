"""Claims of a paper, and what the model says of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# possible: for hand-picked numbers only; out of reach: the model cannot express it.
VERDICTS = ("reproduced", "partly", "refuted", "possible", "out of reach")


@dataclass(frozen=True)
class Claim:
    """A claim, how it is judged, and the verdict that was written down beforehand."""

    id: str
    text: str
    criterion: str
    expected: str

    def __post_init__(self):
        if self.expected not in VERDICTS:
            raise ValueError(
                f"{self.id}: {self.expected!r} is no verdict; choose from "
                f"{', '.join(VERDICTS)}."
            )


@dataclass(frozen=True)
class Finding:
    """The verdict on one claim, and the numbers that it rests on.

    `measured`: numbers, texts, arrays. `hits`: of each random problem, whether the
    criterion holds there; None where there is no ensemble.
    """

    claim: str
    verdict: str
    measured: Mapping[str, Any]
    hits: Any = field(default=None)


def judged(reproduced: Any, refuted: Any = False) -> str:
    """`reproduced` or `refuted` if that criterion is met, `partly` if neither is.

    Raises `ValueError` if both are: then the criteria are wrong.
    """
    if reproduced and refuted:
        raise ValueError("criteria for reproduced and for refuted are both met.")
    if reproduced:
        return "reproduced"
    return "refuted" if refuted else "partly"


def ensemble(hits: Any) -> dict[str, Any] | None:
    """Number of problems, the share of hits, its 95 % interval (Clopper, Pearson)."""
    if hits is None:
        return None
    from scipy.stats import binomtest

    hits = np.asarray(hits, bool).ravel()
    counted = binomtest(int(hits.sum()), hits.size)
    low, high = counted.proportion_ci(0.95)
    return {
        "problems": hits.size,
        "share": float(hits.mean()),
        "interval": [float(low), float(high)],
    }


def rows(module: Any, name: str, data: Mapping[str, Any], seed: int) -> list[dict]:
    """One row per claim of a paper, as `gallery --json` writes them.

    Raises `ValueError` unless there is one finding for each claim.
    """
    findings = {finding.claim: finding for finding in module.findings(data)}
    claims = {claim.id: claim for claim in module.CLAIMS}
    if findings.keys() != claims.keys():
        raise ValueError(
            f"{name}: findings on {', '.join(findings)} for the claims "
            f"{', '.join(claims)}."
        )
    return [
        {
            "paper": name,
            "claim": id,
            "text": claim.text,
            "verdict": findings[id].verdict,
            "expected": claim.expected,
            "criterion": claim.criterion,
            "measured": {
                key: np.asarray(value).tolist()
                for key, value in findings[id].measured.items()
            },
            "ensemble": ensemble(findings[id].hits),
            "seed": seed,
        }
        for id, claim in claims.items()
    ]
