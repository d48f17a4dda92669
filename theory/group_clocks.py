r"""B6: group-normalised rules walk the path of the plain gradient, in another clock.

A question is answered G times. Rollout i uses pattern k_i (drawn from pi) and is right,
`r_i = 1`, with chance s_{k_i}; `p = ACC = sum_k pi_k s_k` is the chance that a rollout
is right. A rule turns the rewards into advantages A_i and moves the logits by
`(1/G) sum_i A_i grad log pi(k_i)`, where `grad log pi(k) = e_k - pi`.

**One path.** If the A_i depend on the rewards only, the mean update is

    h(p) pi_k (s_k - p),
    h = (1/G) [E sum_i A_i 1{r_i = 1} / p - E sum_i A_i 1{r_i = 0} / (1 - p)].

*Proof.* Given r_i, pattern k_i is independent of the other rollouts: `P(k|1) =
pi_k s_k/p`, `P(k|0) = pi_k (1 - s_k)/(1 - p)`. So the mean of e_k - pi is
`pi_k (s_k - p)/p` over right ones and `-pi_k (s_k - p)/(1 - p)` over wrong ones; weigh
with the A_i.  [] All such rules pass through the states of the plain gradient (h = 1)
in the same order; the time is `t_h = int dt/h`. With w right ones in a group,
`w ~ Binomial(G, p)`, a rule is two functions of w, and h a binomial sum
(`group_factor`).

**GRPO** divides the group-centred reward by the group's spread. With `q = w/G`,

    h_G(p) = E sqrt(q (1 - q)) / (p (1 - p)),

groups of equal rewards counting as zero. As `C(G, j) j (G-j) = G (G-1) C(G-2, j-1)`,
this is a mean over `J = 1 + Binomial(G-2, p)`: the Bernstein polynomial

    h_G(p) = (G-1) E[1/sqrt(J (G-J))],     coefficients (G-1)/sqrt(j (G-j)).

*From two sides:*

    (G-1)/sqrt(G-1 + (G-2)(G-3) p (1-p))  <=  h_G(p)
                         <=  min( sqrt(G-1), sqrt((G-1)/G) / sqrt(p (1-p)) ).

*Proof.* Left: Jensen, `E[J (G-J)] = G-1 + (G-2)(G-3) p (1-p)`. Right: the largest
coefficients are the first and the last; and `E sqrt x <= sqrt(E x)` for `x = q (1-q)`,
`E x = p (1-p) (G-1)/G`.  [] The left side is at least `2 (G-1)/G`, as `p (1-p) <= 1/4`.
So GRPO shortens every delay, by a factor from 2 (G-1)/G to sqrt(G-1): G = 2 changes
nothing, and G = 3 only the scale, since both coefficients are sqrt 2. For G >= 4 the
coefficients are strictly convex and symmetric, and so is h_G about p = 1/2. As p -> 0
or 1, `h_G -> sqrt(G-1)`; as G grows, `h_G -> 1/sqrt(p (1-p))`. The sample spread
multiplies h by sqrt((G-1)/G). Redrawing groups of equal rewards divides it by
`1 - p^G - (1 - p)^G`.

**Others.** pass@n: the gradient of `1 - (1 - p)^n`, `h = n (1 - p)^(n-1)`. Supervised
training on the model's own correct answers: the mean of grad log pi over P(k|1),
h = 1/p.
A verifier that says yes to wrong answers with chance f+ and no to right ones with f-:
rates `f+ + J s`, `J = 1 - f+ - f-`, so `h = J h_rule(f+ + J p)`; J < 0 walks backwards.
That the sign of J decides was found by Rad et al. 2026 (arXiv 2601.04411), in a
replicator model of GRPO with the same errors.

**Tails.** Let `h ~ A gap^a` as gap -> 0, and `t gap -> c = n m/(n + m)` for the plain
gradient (`theory.tail`). Then `t_h = int dt/h` gives, for a > -1,

    t_h gap^(1+a)  ->  c / (A (1 + a)),

and for a = -1 `log(1/gap) ~ (A/c) t_h`. With `s_* = 1`, so that `gap = 1 - p`: infinite
groups A = 1, a = -1/2: `t^2 gap -> 4 c^2`; finite groups a = 0, A = sqrt(G-1); pass@n
A = n, a = n - 1: `t gap^n -> c/n^2`; redrawing A = sqrt(G-1)/G, a = -1: the gap closes
exponentially. With `s_* < 1`: a = 0 and A = h(s_*).  []

Source: this project; noisy verifiers: see above. Outside the class: advantages of
real-valued rewards, KL, entropy bonuses, clipping over several epochs, Adam, finite
steps, several questions (h differs by question). Needs 0 < p < 1 and G >= 2.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from theory.statement import Claim, Statement
from theory.support import Bools, Floats, best_reward, checked, support
from theory.survivors import has_suboptimal
from theory.tail import tail_limit

Advantages = Callable[[Floats], tuple[Floats, Floats]]
"""Number of right rollouts -> advantages of each right and of each wrong one."""


def _chance(p: ArrayLike) -> Floats:
    chance = np.asarray(p, dtype=np.float64)
    if not np.all((chance > 0) & (chance < 1)):
        raise ValueError(f"`p` must lie strictly between 0 and 1; got {p!r}.")
    return chance


def _binomial(wins: Floats, group_size: int, chance: Floats) -> Floats:
    """Chances of so many right rollouts."""
    from scipy.stats import binom  # takes longer to import than all else here

    return np.asarray(binom.pmf(wins, group_size, chance))


def group_factor(p: ArrayLike, group_size: int, advantages: Advantages) -> Floats:
    """h of a rule, by its definition: a sum over the number of right rollouts: `[...]`.

    `p` is `[...]`; `advantages` maps `[G + 1]` counts to two arrays `[G + 1]`.
    """
    if group_size < 2:
        raise ValueError(f"`group_size` must be at least 2; got {group_size!r}.")
    chance = _chance(p)[..., None]
    wins = np.arange(group_size + 1, dtype=np.float64)
    right, wrong = advantages(wins)
    share = wins * right / chance - (group_size - wins) * wrong / (1 - chance)
    weight = _binomial(wins, group_size, chance)
    return np.asarray(np.sum(weight * share, axis=-1) / group_size)


def reinforce(p: ArrayLike) -> Floats:
    """No baseline: 1."""
    return np.ones_like(_chance(p))


def leave_one_out(p: ArrayLike, group_size: int) -> Floats:
    """RLOO, the mean of the others as baseline: the sum comes to 1."""

    def advantages(wins: Floats) -> tuple[Floats, Floats]:
        return 1 - (wins - 1) / (group_size - 1), -wins / (group_size - 1)

    return group_factor(p, group_size, advantages)


def group_mean(p: ArrayLike, group_size: int) -> Floats:
    """The group's mean as baseline (Dr. GRPO): the sum comes to (G - 1)/G."""

    def advantages(wins: Floats) -> tuple[Floats, Floats]:
        return 1 - wins / group_size, -wins / group_size

    return group_factor(p, group_size, advantages)


def grpo(
    p: ArrayLike,
    group_size: int,
    spread: Literal["population", "sample"] = "population",
    epsilon: float = 0.0,
    redraw: bool = False,
) -> Floats:
    """Group mean and division by `spread + epsilon`: `[...]`.

    Groups of equal rewards count as zero, or are drawn again (`redraw`).
    """
    if spread not in ("population", "sample"):
        raise ValueError(f"`spread` must be 'population' or 'sample'; got {spread!r}.")

    def advantages(wins: Floats) -> tuple[Floats, Floats]:
        q = wins / group_size
        freedom = group_size - 1 if spread == "sample" else group_size
        deviation = np.sqrt(group_size * q * (1 - q) / freedom)
        scale = np.where(deviation > 0, deviation + epsilon, np.inf)
        return (1 - q) / scale, -q / scale

    h = group_factor(p, group_size, advantages)
    if redraw:
        chance = _chance(p)
        mixed = np.arange(1.0, group_size)
        h = h / np.sum(_binomial(mixed, group_size, chance[..., None]), axis=-1)
    return h


def grpo_infinite(p: ArrayLike, epsilon: float = 0.0) -> Floats:
    """GRPO as G -> infinity: `1/(sqrt(p (1 - p)) + epsilon)`."""
    chance = _chance(p)
    return np.asarray(1 / (np.sqrt(chance * (1 - chance)) + epsilon))


def grpo_bounds(p: ArrayLike, group_size: int) -> tuple[Floats, Floats]:
    """The two bounds on h_G(p), `2 (G-1)/G` and sqrt(G-1) at the widest: `[...]` each.

    For the population spread without epsilon or redrawing.
    """
    chance, G = _chance(p), group_size
    variance = chance * (1 - chance)
    lower = (G - 1) / np.sqrt(G - 1 + (G - 2) * (G - 3) * variance)
    return lower, np.minimum(np.sqrt(G - 1), np.sqrt((G - 1) / (G * variance)))


def pass_at_n(p: ArrayLike, attempts: int) -> Floats:
    """The objective `1 - (1 - p)^n`: `n (1 - p)^(n-1)`."""
    return np.asarray(attempts * (1 - _chance(p)) ** (attempts - 1))


def rejection_sampling(p: ArrayLike) -> Floats:
    """Supervised training on one's own correct answers: 1/p."""
    return np.asarray(1 / _chance(p))


def noisy(
    factor: Callable[[Floats], Floats],
    p: ArrayLike,
    false_yes: float,
    false_no: float,
) -> Floats:
    """`J h(f+ + J p)`, `J = 1 - f+ - f-`, for a rule h under a noisy verifier."""
    J = 1 - false_yes - false_no
    return np.asarray(J * factor(np.asarray(false_yes + J * _chance(p))))


def clock_tail(
    success_rates: ArrayLike, log_policy: ArrayLike, scale: float, power: float
) -> Floats:
    """`lim t gap^(1 + a) = c/(A (1 + a))` for a clock `h ~ A gap^a`: `[...]`.

    At a = -1 instead `lim log(1/gap)/t = A/c`.
    """
    if power < -1:
        raise ValueError(f"`power` must be at least -1; got {power!r}.")
    c = tail_limit(success_rates, log_policy)
    return np.asarray(scale / c if power == -1 else c / (scale * (1 + power)))


def is_mixed(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    """Rates in [0, 1] that leave both outcomes possible: `[...]`."""
    s, log_pi = checked(success_rates, log_policy)
    inside = support(log_pi)
    valid = np.all(((s >= 0) & (s <= 1)) | ~inside, axis=-1)
    some = np.any((s > 0) & inside, axis=-1) & np.any((s < 1) & inside, axis=-1)
    return np.asarray(valid & some)


def has_perfect_best(success_rates: ArrayLike, log_policy: ArrayLike) -> Bools:
    """`is_mixed`, and the best pattern is always right: `[...]`."""
    s, log_pi = checked(success_rates, log_policy)
    perfect = best_reward(s, log_pi) == 1
    return np.asarray(is_mixed(s, log_pi) & perfect & has_suboptimal(s, log_pi))


STATEMENT = Statement(
    id="B6",
    title="Same path, other clock: GRPO and its relatives",
    words=(
        "On one question, rules whose advantages depend only on right or wrong pass "
        "through the same policies as the plain gradient; normalising, redrawing or "
        "counting pass@n changes when, not where."
    ),
    formula="mean update = h(p) pi_k (s_k - p);  t_h = int dt/h",
    source="this project; the sign of J for noisy verifiers: Rad et al. 2026 (arXiv "
    "2601.04411)",
    assumptions="0/1 rewards; exact mean updates; one question; no KL, no clipping",
    proof="given its reward a rollout's pattern is independent of the group; "
    "theory/group_clocks.py",
    claims=(
        Claim(
            id="B6.path",
            words="The mean update is the plain gradient times a function of p.",
            formula="E[(1/G) sum_i A_i grad log pi(k_i)] = h(p) pi_k (s_k - p)",
            status="proved",
            hypotheses=is_mixed,
        ),
        Claim(
            id="B6.grpo-bounds",
            words="GRPO with groups of G shortens every delay, by a factor between "
            "2 (G - 1)/G and sqrt(G - 1).",
            formula="2 (G-1)/G <= (G-1)/sqrt(G-1 + (G-2)(G-3) p (1-p)) <= h_G "
            "<= min(sqrt(G-1), sqrt((G-1)/(G p (1-p))))",
            status="proved",
            hypotheses=is_mixed,
        ),
        Claim(
            id="B6.grpo-rare",
            words="While correct answers are rare, GRPO is sqrt(G - 1) times faster.",
            formula="p -> 0: h_G -> sqrt(G - 1)",
            status="proved",
            hypotheses=is_mixed,
        ),
        Claim(
            id="B6.tail-infinite",
            words="With infinite groups and a perfect best pattern the gap closes as "
            "1/t^2.",
            formula="t^2 gap -> 4 (n m/(n + m))^2",
            status="proved",
            hypotheses=has_perfect_best,
        ),
        Claim(
            id="B6.tail-finite",
            words="With groups of G the rate is 1/t again.",
            formula="t gap -> (n m/(n + m))/sqrt(G - 1)",
            status="proved",
            hypotheses=has_perfect_best,
        ),
        Claim(
            id="B6.tail-pass",
            words="Maximising pass@n closes the gap as t^(-1/n) only.",
            formula="t gap^n -> (n_bad m/(n_bad + m))/n^2",
            status="proved",
            hypotheses=has_perfect_best,
        ),
        Claim(
            id="B6.tail-redraw",
            words="Redrawing groups of equal rewards closes it exponentially.",
            formula="log(1/gap)/t -> (sqrt(G - 1)/G) (n + m)/(n m)",
            status="proved",
            hypotheses=has_perfect_best,
        ),
        Claim(
            id="B6.noise",
            words="A verifier whose errors do not depend on the pattern slows the "
            "clock by J, or turns it back if J < 0.",
            formula="h = J h_rule(f+ + J p), J = 1 - f+ - f-",
            status="proved",
            hypotheses=is_mixed,
        ),
    ),
)
