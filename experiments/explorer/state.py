"""What the explorer shows, as numbers: the fragment of its address.

    #v=1&s=0.9,0.6,0.1&l=-3,-0.35,-1.4&c=0.5,0.75,0.6&w=0.5&n=0,0&u=grpo-8&...

A fragment is never sent to a server; the page sends the same fields as JSON, by their
long names. Unknown fields are kept, so that a link of a later version survives a visit
here. There are numbers and names from closed lists only: a hostile link can show a
strange model, no more.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote

from experiments.text.errors import UserError, choose_from
from experiments.text.objects import brief

VERSION = "1"
MOST_PATTERNS = 8
LOWEST = -700.0  # a logit whose probability floats still hold

RUNS = ("rlvr", "mixture", "rlif", "kl")
CLOCKS = (
    "policy-gradient",
    *(f"grpo-{size}" for size in (2, 4, 8, 16, 64, "inf")),
    "pass-at-8",
    "rejection-sampling",
)
MAPS = ("quality", "bad-mass", "mixture", "noise", "dose")
VIEWS = ("simplex", "logits")


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of the state: its letter in the fragment, its values, its words."""

    letter: str
    words: str
    allowed: tuple[str, ...] | tuple[float, float]
    many: bool = False

    @property
    def named(self) -> bool:
        """Whether its values are names from a closed list."""
        return isinstance(self.allowed[0], str)

    def check(self, value: Any) -> None:
        """Raise `UserError` unless the value, or each of them, is allowed."""
        given = f"{self.words} ({self.letter})"
        if self.named:
            if value not in self.allowed:
                names = [str(name) for name in self.allowed]
                wrong = choose_from(brief(value).strip("'"), names)
                raise UserError(f"{given} {brief(value)} is unknown; {wrong}.")
            return
        low, high = (float(x) for x in self.allowed)
        never = (-math.inf,) if self.letter == "l" else ()
        for x in value if self.many else (value,):
            if isinstance(x, bool) or not isinstance(x, int | float):
                raise UserError(f"{given} {brief(x)}: give a number.")
            if not (low <= x <= high or x in never):
                raise UserError(f"{given} {brief(x)}: give {low:g} to {high:g}.")


FIELDS = {
    "success_rates": Field("s", "success rates", (0.0, 1.0), many=True),
    "logits": Field("l", "logits", (LOWEST, -LOWEST), many=True),
    "confidences": Field("c", "confidences", (0.0, 1.0), many=True),
    "weight": Field("w", "weight of confidence", (0.0, 1.0)),
    "errors": Field("n", "errors of the verifier", (0.0, 1.0), many=True),
    "clock": Field("u", "clock", CLOCKS),
    "beta": Field("b", "weight of the KL penalty", (0.0, 10.0)),
    "dose": Field("d", "SFT dose", (0.0, 1000.0)),
    "run": Field("r", "run", RUNS),
    "map": Field("map", "map", MAPS),
    "view": Field("view", "view", VIEWS),
}


@dataclasses.dataclass(frozen=True)
class State:
    """One base model, what it is paid, and what is looked at.

    - `success_rates` `[K]`, K from 2 to 8. `logits` `[K]`: of the base model, up to a
      constant; -inf for a pattern that is never drawn. `confidences` `[K]`: what RLIF
      pays.
    - `weight` w: the mixture pays `(1 - w) s + w c`.
    - `errors`: chance that the verifier pays a wrong answer, and that it does not pay a
      right one.
    - `clock`: update of RLVR. `beta`: weight of the KL penalty, of the run `kl`.
    - `dose`: SFT on the best pattern before RL, in units of time.
    - `run`: the run whose policies and numbers are shown.
    - `map`: axes and values of the phase diagram. `view`: simplex, or logits.
    - `rest`: fields of the fragment that are not known here.

    Raises `UserError` for what is out of range.
    """

    success_rates: tuple[float, ...] = (0.9, 0.6, 0.1)
    logits: tuple[float, ...] = (-2.995732, -0.356675, -1.386294)  # of 5, 70, 25 %
    confidences: tuple[float, ...] = (0.5, 0.75, 0.6)
    weight: float = 0.5
    errors: tuple[float, ...] = (0.0, 0.0)
    clock: str = "policy-gradient"
    beta: float = 0.0
    dose: float = 0.0
    run: str = "rlvr"
    map: str = "quality"
    view: str = "simplex"
    rest: tuple[tuple[str, str], ...] = ()

    def __post_init__(self):
        for name, field in FIELDS.items():
            field.check(getattr(self, name))
        K = self.num_patterns
        if not 2 <= K <= MOST_PATTERNS:
            raise UserError(f"{K} success rates (s); give 2 to {MOST_PATTERNS}.")
        for name, size in (("logits", K), ("confidences", K), ("errors", 2)):
            given = len(getattr(self, name))
            if given != size:
                field = FIELDS[name]
                raise UserError(
                    f"{given} {field.words} ({field.letter}); give {size} numbers."
                )
        if max(self.logits) == -math.inf:
            raise UserError("logits (l): one at least must be finite.")

    @property
    def num_patterns(self) -> int:
        """K."""
        return len(self.success_rates)

    @property
    def log_policy(self) -> tuple[float, ...]:
        """Log-probabilities of the base model."""
        top = max(self.logits)
        log_sum = top + math.log(math.fsum(math.exp(x - top) for x in self.logits))
        return tuple(x - log_sum for x in self.logits)

    def rewards(self, run: str) -> tuple[float, ...]:
        """What a run pays each pattern on average, `[K]`; without its KL penalty."""
        if run in ("rlvr", "kl"):
            false_positive, false_negative = self.errors
            informed = 1 - false_positive - false_negative
            return tuple(false_positive + informed * s for s in self.success_rates)
        w = self.weight if run == "mixture" else 1.0
        pairs = zip(self.success_rates, self.confidences, strict=True)
        return tuple((1 - w) * s + w * c for s, c in pairs)

    def changed(self, **fields: Any) -> "State":
        """The same with some fields given otherwise."""
        return dataclasses.replace(self, **fields)


def parse(text: str) -> State:
    """The state of a fragment, with or without `#`; what it leaves out is default.

    Raises `UserError` for another version, and for what is no number or out of range.
    """
    names = {field.letter: name for name, field in FIELDS.items()}
    given: dict[str, Any] = {}
    rest = []
    for letter, value in parse_qsl(text.removeprefix("#"), keep_blank_values=True):
        if letter == "v":
            if value != VERSION:
                raise UserError(
                    f"state of version {brief(value)}; this explorer reads {VERSION}."
                )
        elif letter in names:
            given[names[letter]] = _read(FIELDS[names[letter]], value)
        else:
            rest.append((letter, value))
    return State(**given, rest=tuple(rest))


def _read(field: Field, text: str) -> Any:
    if field.named:
        return text
    try:
        numbers = tuple(float(x) for x in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or (len(numbers) > 1 and not field.many):
        one = "numbers joined by commas" if field.many else "one number"
        raise UserError(f"{field.words} ({field.letter}) {brief(text)}: give {one}.")
    return numbers if field.many else numbers[0]


def fragment(state: State) -> str:
    """The fragment, with `#`, of the shortest numbers that are read back the same."""
    parts = [f"v={VERSION}"]
    for name, field in FIELDS.items():
        value = getattr(state, name)
        texts = (
            [value] if field.named else map(shortest, value if field.many else (value,))
        )
        parts.append(f"{field.letter}={','.join(texts)}")
    parts += [f"{quote(key)}={quote(text)}" for key, text in state.rest]
    return "#" + "&".join(parts)


def shortest(value: float) -> str:
    """A number as JavaScript's `String` writes it."""
    if math.isinf(value):
        return "-Infinity" if value < 0 else "Infinity"
    if value == int(value) and abs(value) < 1e16:
        return str(int(value))
    mantissa, e, exponent = repr(float(value)).partition("e")
    if not e:
        return mantissa
    power = int(exponent)
    sign, digits = "-" * mantissa.startswith("-"), mantissa.lstrip("-").replace(".", "")
    if -7 < power < 0:  # 1e-05, there 0.00001
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    if 0 < power < 21:  # 1e+16, there 10000000000000000
        return sign + digits.ljust(power + 1, "0")
    return f"{mantissa}e{'+' * (power > 0)}{power}"


def from_json(given: Any) -> State:
    """The state of the fields that the page sends; a logit of null is -inf.

    Raises `UserError` as `State` does, and for fields that are not known.
    """
    if not isinstance(given, Mapping):
        raise UserError("the state must be an object of fields.")
    fields: dict[str, Any] = {}
    for name, value in given.items():
        if name not in FIELDS:
            raise UserError(f"state: {choose_from(str(name), FIELDS)}.")
        field = FIELDS[name]
        if field.many:
            if not isinstance(value, list):
                raise UserError(f"{field.words} ({field.letter}): give a list.")
            none = -math.inf if name == "logits" else None
            value = tuple(none if x is None else x for x in value)
        fields[name] = value
    return State(**fields)


def to_json(state: State) -> dict[str, Any]:
    """The fields as the page has them; a logit of -inf is null."""
    fields = {name: getattr(state, name) for name in FIELDS}
    logits = [None if x == -math.inf else x for x in state.logits]
    return fields | {"logits": logits}
