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
class Statement:
    """One result: `words` for people, `formula` for the pencil, `claims` for tests."""

    id: str
    title: str
    words: str
    formula: str
    source: str
    assumptions: str
    proof: str
    claims: tuple[Claim, ...]

    def __post_init__(self) -> None:
        strays = [c.id for c in self.claims if not c.id.startswith(f"{self.id}.")]
        if strays:
            raise ValueError(f"Claims of {self.id} must be named {self.id}.*: {strays}")
