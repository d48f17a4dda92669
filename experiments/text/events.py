"""Events by name, as the command line and sweep files write them: `gap=1e-3`, `t0`."""

from experiments.text.errors import UserError
from experiments.text.numbers import as_number

# Class in `simulator`, what it is; the first ones need a level between 0 and 1.
LEVELS = {
    "gap": ("Gap", "the reward gap rho_* - rho_bar falls to this"),
    "accuracy": ("Accuracy", "accuracy rises to this"),
    "optimal-probability": ("OptimalProbability", "pi_* rises to this"),
}
PLAIN = {
    "t0": ("T0", "accuracy passes the second-best rate"),
    "crossing": ("Crossing", "a best pattern becomes the most likely"),
}
REST = "rest"


def described() -> str:
    """The events in words, for help."""
    texts = [f"{k}=LEVEL: {v[1]}" for k, v in LEVELS.items()]
    texts += [f"{k}: {v[1]}" for k, v in PLAIN.items()]
    return "; ".join([*texts, f"{REST}: at rest, or at the time limit"])


def read(text: str, option: str):
    """The event written as `text`; None for `rest`.

    Raises `UserError` with the option, what was given and what is allowed.
    """
    import simulator

    if text == REST:
        return None
    name, equals, level = text.partition("=")
    if name in PLAIN and not equals:
        return getattr(simulator, PLAIN[name][0])()
    value = as_number(level)
    if name not in LEVELS or not 0 < value < 1:
        allowed = ", ".join([*(f"{key}=LEVEL" for key in LEVELS), *PLAIN, REST])
        raise UserError(
            f"{option} {text}: give one of {allowed}, with a level between 0 and 1."
        )
    _check_kept(value, f"{option} {text}")
    return getattr(simulator, LEVELS[name][0])(value)


def _check_kept(level: float, given: str) -> None:
    """Raise `UserError` if floats make 0 or 1 of the level."""
    import jax

    limits = jax.numpy.finfo(jax.dtypes.canonicalize_dtype(float))
    if limits.tiny <= level <= 1 - limits.epsneg:
        return
    other = ", or --precision float64" if limits.bits == 32 else ""
    raise UserError(
        f"{given}: the level counts as {round(level)} in {limits.dtype}; give one from "
        f"{limits.tiny:.3g} to 1 - {limits.epsneg:.3g}{other}."
    )


def write(event) -> str:
    """The text that `read` takes for this event."""
    kind = type(event).__name__
    for name, (class_name, _) in (LEVELS | PLAIN).items():
        if class_name == kind:
            level = getattr(event, "level", None)
            return name if level is None else f"{name}={float(level)!r}"
    raise ValueError(f"{kind} has no name on the command line")
