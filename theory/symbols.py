"""The symbols of statements and of the program's output."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Symbol:
    """A quantity: its definition in symbols (if it has one), and in words."""

    name: str
    words: str
    formula: str = ""
    statements: tuple[str, ...] = ()


def _by_name(*symbols: Symbol) -> dict[str, Symbol]:
    return {symbol.name: symbol for symbol in symbols}


SYMBOLS: dict[str, Symbol] = _by_name(
    Symbol("K", "number of reasoning patterns"),
    Symbol(
        "s_k",
        "success rate of pattern k: the chance of a correct answer with it; fixed "
        "during training",
        "s_k = P[k, 0]",
    ),
    Symbol("theta", "logits of the policy, one for each pattern"),
    Symbol(
        "pi", "the policy over patterns", "pi_k = exp(theta_k) / sum_j exp(theta_j)"
    ),
    Symbol("pi_0", "the base model: the policy before training"),
    Symbol("pi_ref", "the reference of the KL penalty; by default the base model"),
    Symbol("pi_*", "total probability of the best patterns"),
    Symbol("ACC", "accuracy, the expected verifiable reward", "ACC = sum_k pi_k s_k"),
    Symbol(
        "P[k, a]",
        "answer kernel: the chance of answer a given pattern k; column 0 is the "
        "correct answer",
    ),
    Symbol(
        "rho",
        "reward of each pattern as training sees it: s for RLVR, a confidence for RLIF",
    ),
    Symbol("rho_bar", "mean reward under the policy", "rho_bar = sum_k pi_k rho_k"),
    Symbol("*", "the best pattern: of the highest reward in the support of pi_0"),
    Symbol("r'", "the rival: the best of the suboptimal patterns", "", ("A3",)),
    Symbol(
        "gap",
        "best reward minus mean reward",
        "gap = rho_* - rho_bar = sum_k pi_k (rho_* - rho_k)",
        ("A2", "B3"),
    ),
    Symbol("delta_k", "how much less pattern k is paid", "delta_k = rho_* - rho_k"),
    Symbol(
        "Delta",
        "lead of the best pattern, or of the next vertex of the hull",
        "Delta = s_* - s_r'",
    ),
    Symbol(
        "gamma",
        "odds of everything except the rival against the best pattern",
        "gamma = sum_{k != r'} pi_0(k) / pi_0(*)",
        ("A3",),
    ),
    Symbol(
        "T0",
        "time at which accuracy passes the highest suboptimal success rate, so that "
        "the rival stops growing",
        "ACC(T0) = s_r'",
        ("A3", "B4"),
    ),
    Symbol(
        "crossing",
        "time at which a best pattern becomes the most likely one",
        "pi_*(T) = max_k pi_k(T)",
        ("A3", "B2", "B4"),
    ),
    Symbol(
        "t",
        "flow time: learning rate times steps",
        "theta_k' = pi_k (rho_k - rho_bar) for the policy gradient",
    ),
    Symbol("eta", "learning rate: the flow time of one step", "", ("C7",)),
    Symbol("beta", "weight of the KL penalty to pi_ref", "", ("A1", "B7")),
    Symbol("eps", "a distance from the end: of gap, or of 1 - pi_*", "", ("A2",)),
    Symbol("G", "group size: rollouts for each question", "", ("B6",)),
    Symbol(
        "h",
        "clock of an estimator: how fast it moves along the policy gradient's path",
        "theta_k' = h(ACC) pi_k (s_k - ACC)",
        ("B6",),
    ),
    Symbol(
        "J",
        "how much a noisy verifier still tells: J = 1 - false positives - false "
        "negatives; learning turns round below 0",
        "rho_k = J s_k + FPR",
        ("B6",),
    ),
    Symbol(
        "R_k",
        "self-certainty of pattern k, up to a constant: mean negative log-probability "
        "of the answers A",
        "R_k = -(1/|A|) sum_a log P[k, a]",
        ("A4", "C4"),
    ),
    Symbol(
        "c",
        "tilt of the law of success rates, from -1 to 1",
        "f(s) = 1 + c (2 s - 1)",
        ("A4", "C4"),
    ),
    Symbol(
        "tau",
        "intrinsic time, in which the differences of u are linear",
        "dt = Z dtau",
        ("B1",),
    ),
    Symbol(
        "u_k",
        "inverse weight of pattern k, with the logits' sum set to 0",
        "u_k = exp(-theta_k); u_k(0) = g / pi_0(k)",
        ("B1",),
    ),
    Symbol("Z", "normalisation of the policy", "Z = sum_k 1/u_k", ("B1",)),
    Symbol("g", "geometric mean of pi_0", "g = (prod_k pi_0(k))^(1/K)", ("B1", "B2")),
    Symbol(
        "a_k",
        "distance of pattern k from the dominant pattern i",
        "a_k = u_k - u_i",
        ("B1", "B4"),
    ),
    Symbol(
        "sigma",
        "intrinsic time in units of g; hand-overs are at the slopes of the hull",
        "sigma = tau / g",
        ("B2",),
    ),
    Symbol(
        "hull",
        "lower convex hull of reward and rarity, whose vertices are the patterns that "
        "ever lead",
        "points (rho_k, 1/pi_0(k))",
        ("B2",),
    ),
    Symbol(
        "L",
        "main part of a delay, i the dominant pattern on the way",
        "L = int prod_{k != i} a_k dtau",
        ("A3", "B4"),
    ),
    Symbol(
        "I",
        "time lost to not being decided",
        "I = int (1 - max_k pi_k) dt",
        ("A3", "B4"),
    ),
    Symbol(
        "n", "number of suboptimal patterns; in pass@n, of attempts", "", ("B3", "C5")
    ),
    Symbol("M", "number of best patterns", "", ("B3",)),
    Symbol(
        "m",
        "number of best patterns with the largest initial probability: those that "
        "survive",
        "t gap -> n m / (n + m)",
        ("B3",),
    ),
    Symbol(
        "alpha",
        "rate at which success rates are trained too, against that of the policy",
        "(log s_k/(1 - s_k))' = 2 alpha pi_k s_k (1 - s_k)",
        ("C6",),
    ),
    Symbol(
        "D",
        "gradient gap along a step w: mean score of correct answers minus that of "
        "wrong ones",
        "D = sum_k w_k (pi+_k - pi-_k)",
        ("C7",),
    ),
    Symbol("plateau", "a long time in which accuracy hardly changes"),
    Symbol("hand-over", "time at which the most likely pattern changes", "", ("B2",)),
    Symbol("margin", "how far a claim is from failing; negative where it fails"),
)
