r"""C5: several questions that share one policy over patterns, and pass@n.

`questions` is `[..., Q, K]`: success rates s_qk. One policy pi serves all questions,
`p_q = pi . s_q`, and a question counts as solved in n attempts with probability
`1 - (1 - p_q)^n`.

**Plain policy gradient.** `J = mean_q p_q = pi . s_bar` with `s_bar = mean_q s_q`: one
question with the mean rates. Everything known for one question holds for it: pass@1
never falls, and (limit) all mass goes to argmax s_bar.

**GRPO.** Its velocity is `mean_q h(p_q) pi_k (s_qk - p_q)`, h of `theory.group_clocks`:
the rates are weighted by an h that differs from question to question and moves. Groups
of 2 or 3 have a constant h, and what is said of plain training holds. From 4 on, and
for infinite groups, h is larger where p is further from 1/2, and pass@1 may fall. *One
instance for all*: two patterns with rates (.5, .5205) on one question and (.02, 0) on
another (`grpo_instance`). Pattern 1 is better on average. But at every policy p_1 lies
in [.5, .5205] and p_2 in [0, .02], so that `h(p_2) > 1.025 h(p_1)`, pattern 0 gains,
and pass@1 falls all the way. *Proof.* With v = p (1 - p), v_1 > .2495 and v_2 <= .0196,
the two bounds on h give for G >= 5

    (h(p_2)/h(p_1))^2 >= v_1/(1/G + v_2 (G-2)(G-3)/(G (G-1))) >= v_1/(.2 + v_2) > 1.13,

and `1.13 > 1.025^2`. For infinite groups the square is v_1/v_2 > 12. For G = 4, where
`h = sqrt 3 - (2 sqrt 3 - 3) v`, the ratio is above 1.066.  []

**Crossover.** Compare failures `b_q = 1 - p_q` before and `e_q = 1 - p_q` after, and

    D(n) = sum_q (b_q^n - e_q^n) = Q (pass@n after - pass@n before).

*If the worst question got worse*, `e_max = max e > b_max = max b`, then

    D(n) <= Q b_max^n - e_max^n < 0   for every  n > N = log Q / log(e_max / b_max):

from N on the trained model is below the base model, for ever, whatever pass@1 says.
If it got better, `e_max < b_max`, the same bound with the roles exchanged puts it above
from some n on. So up to equality the hardest question alone decides.  []

After training to the end (limit), `e_q = 1 - s_q*`: mass has left patterns that alone
solve some question, and N is known from the base model.

*Where.* D is a sum of exponentials in n. Order its terms by base and count the sign
changes c of the coefficients (+1 for b, -1 for e, added where bases agree). D has at
most c real zeros (Descartes' rule: divide by `x^n`, x between two neighbours of
opposite sign, and differentiate: this undoes one sign change and, by Rolle, loses at
most one zero; without sign changes there is none). A failure rate of 0 adds nothing for
n > 0, and leaving it out does not add to c. Now let c = 2, pass@1 rise and the worst
question get worse: D > 0 at n = 1 and D < 0 beyond N, so the zeros in between, with
their multiplicities, are odd in number and at most two. There is exactly one crossing
in (1, N].  []  For Q = 2, c = 2 follows from the other two conditions. In general n = 0
is one of the zeros (put a small failure rate for one of 0: sign changes of D survive a
small perturbation), and D changes sign at most c - 1 times in n > 0.

Source: this project. The effect was reported for trained models by Yue et al. 2025
(arXiv 2504.13837).
Limits: the questions share pattern logits; attempts are independent.
"""

import numpy as np
from numpy.typing import ArrayLike

from theory.degradation import limit_accuracy
from theory.group_clocks import grpo, grpo_infinite
from theory.statement import Claim, Statement
from theory.support import Bools, Floats, Ints, checked, support

_BISECTIONS = 80


def _checked(questions: ArrayLike, log_policy: ArrayLike) -> tuple[Floats, Floats]:
    s = np.asarray(questions, dtype=np.float64)
    log_pi = np.asarray(log_policy, dtype=np.float64)
    if s.ndim < 2 or log_pi.ndim < 1 or s.shape[-1] != log_pi.shape[-1]:
        raise ValueError(
            "`questions` [..., Q, K] and `log_policy` [..., K] are needed; "
            f"got shapes {s.shape} and {log_pi.shape}."
        )
    s, wide = checked(s, log_pi[..., None, :])
    if not np.all((s >= 0) & (s <= 1)):
        raise ValueError("`questions` must hold success rates in [0, 1].")
    return s, wide


def mean_rates(questions: ArrayLike) -> Floats:
    """`s_bar`, the one question that plain policy gradient sees: `[..., K]`."""
    return np.asarray(np.mean(np.asarray(questions, dtype=np.float64), axis=-2))


def question_accuracies(questions: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`p_q = pi . s_q`: `[..., Q]`."""
    s, log_pi = _checked(questions, log_policy)
    return np.asarray(np.sum(np.exp(log_pi) * s, axis=-1))


def trained_accuracies(questions: ArrayLike, log_policy: ArrayLike) -> Floats:
    """`p_q` as t -> infinity under plain policy gradient: `[..., Q]`."""
    s, log_pi = _checked(questions, log_policy)
    mean = mean_rates(s)[..., None, :]
    return limit_accuracy(s, np.broadcast_to(mean, s.shape), log_pi)


def pass_at(accuracies: ArrayLike, n: ArrayLike) -> Floats:
    """`mean_q [1 - (1 - p_q)^n]`: `[...]`; p `[..., Q]`, n `[...]`, any n >= 0."""
    p = np.asarray(accuracies, dtype=np.float64)
    attempts = np.asarray(n, dtype=np.float64)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = attempts * np.log1p(-p)
    # 0 attempts at a question that never fails: 0 * -inf.
    solved = -np.expm1(np.where(attempts == 0, 0.0, exponent))
    return np.asarray(np.mean(solved, axis=-1))


def pass_change(before: ArrayLike, after: ArrayLike, n: ArrayLike) -> Floats:
    """`pass@n after - pass@n before`, relative to the largest term: `[...]`.

    Divided by the n-th power of the largest failure rate, so that the sign is right
    where both pass rates are 1 to all digits. `before`, `after` are `[..., Q]`.
    """
    logs, signs = _terms(before, after)
    attempts = np.asarray(n, dtype=np.float64)[..., None]
    top = np.max(logs, axis=-1, keepdims=True)
    finite = np.where(
        np.isfinite(logs), logs - np.where(top > -np.inf, top, 0), -np.inf
    )
    with np.errstate(invalid="ignore"):
        powers = np.exp(np.where(attempts == 0, 0.0, attempts * finite))
    return np.asarray(np.sum(signs * powers, axis=-1) / (logs.shape[-1] // 2))


def _terms(before: ArrayLike, after: ArrayLike) -> tuple[Floats, Floats]:
    """Logs of all failure rates `[..., 2 Q]`, and +1 (before) or -1 (after)."""
    old, new = np.broadcast_arrays(
        np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    )
    with np.errstate(divide="ignore"):
        logs = np.log1p(-np.concatenate([old, new], axis=-1))
    return logs, np.repeat([1.0, -1.0], old.shape[-1])


def crossover_bound(before: ArrayLike, after: ArrayLike) -> Floats:
    """N: for every n > N pass@n is below what it was before; inf if no such N: `[...]`.

    `log Q / log(e_max/b_max)` where the worst question got worse. `before` and `after`
    are p_q `[..., Q]`.
    """
    logs, signs = _terms(before, after)
    b_max = np.max(np.where(signs > 0, logs, -np.inf), axis=-1)
    e_max = np.max(np.where(signs < 0, logs, -np.inf), axis=-1)
    worse = e_max > b_max
    width = np.where(worse, e_max, 1.0) - np.where(worse, b_max, 0.0)
    return np.where(worse, np.log(logs.shape[-1] // 2) / width, np.inf)


def sign_changes(before: ArrayLike, after: ArrayLike) -> Ints:
    """c: how often the coefficients of D change sign, ordered by base: `[...]`.

    D(n) changes sign at most c - 1 times in n > 0. Equal bases are added up.
    """
    logs, signs = _terms(before, after)
    equal = logs[..., :, None] == logs[..., None, :]
    merged = np.sum(np.where(equal, signs, 0.0), axis=-1)
    ordered = np.take_along_axis(np.sign(merged), np.argsort(logs, axis=-1), axis=-1)
    latest = np.zeros(ordered.shape[:-1])
    changes = np.zeros(ordered.shape[:-1], dtype=np.int64)
    for term in np.moveaxis(ordered, -1, 0):
        changes += latest * term < 0
        latest = np.where(term != 0, term, latest)
    return changes


def has_one_crossing(before: ArrayLike, after: ArrayLike) -> Bools:
    """Pass@1 rose, the worst question got worse, two sign changes: `[...]`."""
    rose = pass_change(before, after, 1) > 0
    worse = np.isfinite(crossover_bound(before, after))
    return np.asarray(rose & worse & (sign_changes(before, after) == 2))


def crossing_n(before: ArrayLike, after: ArrayLike) -> Floats:
    """The real n > 1 at which the two pass@n curves cross: `[...]`.

    nan unless `has_one_crossing`. By bisection of D on [1, N] in log n.
    """
    one = has_one_crossing(before, after)
    bound = crossover_bound(before, after)
    low = np.zeros(one.shape)
    high = np.log(np.maximum(np.where(one, bound, 1.0), 1.0))
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        above = pass_change(before, after, np.exp(middle)) > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(one, np.exp(high), np.nan)


def grpo_velocity(
    questions: ArrayLike, log_policy: ArrayLike, group_size: float = np.inf
) -> Floats:
    """`theta'` of GRPO, mean over questions: `[..., K]`.

    `mean_q h(p_q) pi_k (s_qk - p_q)`, h for groups of `group_size` (population spread);
    questions with p_q = 0 or 1 give groups without spread and contribute nothing.
    """
    s, log_pi = _checked(questions, log_policy)
    p = question_accuracies(questions, log_policy)
    mixed = (p > 0) & (p < 1)
    chance = np.where(mixed, p, 0.5)
    infinite = np.isinf(group_size)
    h = grpo_infinite(chance) if infinite else grpo(chance, int(group_size))
    push = np.exp(log_pi) * np.where(support(log_pi), s - p[..., None], 0.0)
    return np.asarray(np.mean(np.where(mixed, h, 0.0)[..., None] * push, axis=-2))


def crossover_instance() -> tuple[Floats, Floats]:
    """`(questions, policy)`: pass@1 rises from 0.375 to 0.45, pass@2 falls.

    Pattern 0 is better on average but useless on the second question.
    """
    questions = np.array([[0.9, 0.3], [0.0, 0.3]])
    return questions, np.array([0.5, 0.5])


def grpo_instance() -> tuple[Floats, Floats]:
    """`(questions, policy)`: with groups of 4 or more GRPO moves to the worse pattern.

    Plain policy gradient moves to pattern 1, whose mean rate is 0.26025 against 0.26:
    under GRPO pass@1 falls from every policy.
    """
    questions = np.array([[0.50, 0.5205], [0.02, 0.0]])
    return questions, np.array([0.5, 0.5])


def _any_questions(questions: ArrayLike, log_policy: ArrayLike) -> Bools:
    _, log_pi = _checked(questions, log_policy)
    return np.asarray(np.any(support(log_pi), axis=(-2, -1)))


def _ends_below(questions: ArrayLike, log_policy: ArrayLike) -> Bools:
    before = question_accuracies(questions, log_policy)
    after = trained_accuracies(questions, log_policy)
    return np.isfinite(crossover_bound(before, after))


def _ends_with_one_crossing(questions: ArrayLike, log_policy: ArrayLike) -> Bools:
    before = question_accuracies(questions, log_policy)
    return has_one_crossing(before, trained_accuracies(questions, log_policy))


STATEMENT = Statement(
    id="C5",
    title="Several questions, one policy: pass@1 rises while pass@n may fall",
    words=(
        "Plain policy gradient on many questions is training on their mean. It raises "
        "the average and may give up the only pattern that solves some question; then "
        "with enough attempts the base model is better. For GRPO with groups of four "
        "or more not even the average needs to rise."
    ),
    formula="J = pi . mean_q s_q;  min_q p_q falls  =>  pass@n below base for n > N",
    source="this project; effect reported by Yue et al. 2025 (arXiv 2504.13837)",
    assumptions="exact plain policy-gradient flow unless said; shared pattern logits",
    proof="linearity; largest base of a sum of exponentials; Descartes' rule of signs; "
    "theory/several_questions.py",
    claims=(
        Claim(
            id="C5.mean",
            words="Plain policy gradient on Q questions is one question with the mean "
            "rates.",
            formula="theta_k' = pi_k (s_bar_k - pi . s_bar)",
            status="proved",
            hypotheses=_any_questions,
            data="questions",
        ),
        Claim(
            id="C5.crossover",
            words="If the trained model is worse on its worst question than the base "
            "model on its own, it is worse at pass@n for every n beyond a known N.",
            formula="n > log Q / log(e_max/b_max)  =>  pass@n below base",
            status="proved",
            hypotheses=_ends_below,
            data="questions",
        ),
        Claim(
            id="C5.one-crossing",
            words="With two sign changes the curves cross exactly once.",
            formula="D(n) > 0 for 1 <= n < n_x, D(n) < 0 for n > n_x",
            status="proved",
            hypotheses=_ends_with_one_crossing,
            data="questions",
        ),
        Claim(
            id="C5.grpo",
            words="GRPO with groups of four or more never lowers pass@1 on several "
            "questions.",
            formula="G >= 4: d/dt mean_q p_q >= 0",
            status="refuted",
            hypotheses=_any_questions,
            data="questions",
        ),
    ),
)
