"""Theorems as data: words, formula, proof, and claims.

A `Statement` is one result, of the paper or of this project (`source`). Its `claims`
are the separate assertions that can be tested one by one, each with the hypotheses
under which it is asserted and with an honest `status`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from numpy.typing import ArrayLike

from theory.support import Bools

Status = Literal["proved", "as reported", "formal", "refuted"]
"""How much a claim is worth.

- `proved`: there is a proof in this package; a violation is a bug in the code.
- `as reported`: the source asserts it; we have no proof of the exact wording.
- `formal`: an expansion, a limit or an approximation without a proof or error bound.
- `refuted`: there is a counterexample in this package.
"""

Verdict = Literal[
    "holds", "holds with constants", "depends on the reading", "refuted as read"
]
"""How much of a sentence of the paper holds; see `Finding`."""

Data = Literal["success rates", "answer kernel", "questions"]
"""Data of a claim, besides the base policy.

- `success rates` `[..., K]`.
- `answer kernel` `[..., K, A]`: chance of each answer given the pattern; the correct
  answer is column 0.
- `questions` `[..., Q, K]`: success rates on Q questions that share one policy.
"""

Hypotheses = Callable[[ArrayLike, ArrayLike], Bools]
"""`(data, log_policy [..., K]) -> bool [...]`, with data as `Claim.data` says."""


@dataclass(frozen=True)
class Claim:
    """One testable assertion of a statement.

    `id` is `<statement>.<name>`; `hypotheses` says, lane by lane of a batch, where the
    claim has something to say, given the `data`.
    """

    id: str
    words: str
    formula: str
    status: Status
    hypotheses: Hypotheses
    data: Data = "success rates"

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            raise ValueError(
                f"`status` must be one of {get_args(Status)}; got {self.status!r}."
            )
        if self.data not in get_args(Data):
            raise ValueError(
                f"`data` must be one of {get_args(Data)}; got {self.data!r}."
            )


@dataclass(frozen=True)
class Finding:
    """A sentence of the paper, and how much of it holds.

    - `reported`: the sentence as a note of the paper's ICLR version reports it; the
      full text was not at hand.
    - `found`: what is true of it.
    - `evidence`: ids of the claims that say so.
    - `verdict`: `holds`, `holds with constants` (the paper has an order of magnitude),
      `depends on the reading`, or `refuted as read` (one reading has a counterexample).
    """

    reported: str
    found: str
    evidence: tuple[str, ...]
    verdict: Verdict

    def __post_init__(self) -> None:
        if self.verdict not in get_args(Verdict):
            raise ValueError(
                f"`verdict` must be one of {get_args(Verdict)}; got {self.verdict!r}."
            )


@dataclass(frozen=True)
class Statement:
    """One result: `words` for people, `formula` for the pencil, `claims` for tests.

    `findings` compares a statement of the paper, sentence by sentence.
    """

    id: str
    title: str
    words: str
    formula: str
    source: str
    assumptions: str
    proof: str
    claims: tuple[Claim, ...]
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        names = [c.id for c in self.claims]
        strays = [name for name in names if not name.startswith(f"{self.id}.")]
        if strays:
            raise ValueError(f"Claims of {self.id} must be named {self.id}.*: {strays}")
        named = {name for finding in self.findings for name in finding.evidence}
        unknown = sorted(named - set(names))
        if unknown:
            raise ValueError(f"{self.id} has no claims {unknown}; it has {names}.")
