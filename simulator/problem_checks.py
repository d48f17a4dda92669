"""Checks of the numbers that a problem is made of, each one line of what is wrong."""

import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from simulator.validation import (
    check_finite,
    check_kind,
    floats,
    given_array,
    is_traced,
    real_array,
    shown,
)

ODDS_ERROR = 0.01  # of odds, by the rounding of logits
SUM_TOLERANCE = 1e-5  # how far the sum of probabilities typed by hand may be from 1


def _as_floats(name: str, value: Any) -> Array:
    array = real_array(name, value)
    _check_not_nan(name, array)
    return array


def _check_not_nan(name: str, array: Any) -> None:
    if not is_traced(array) and np.isnan(np.asarray(array)).any():
        raise ValueError(f"`{name}` contains NaN; give real numbers.")


def checked_rates(value: Any) -> Array:
    rates = _as_floats("success_rates", value)
    if rates.ndim < 1 or rates.shape[-1] < 2:
        raise ValueError(
            f"`success_rates` has shape {rates.shape}; at least two patterns are "
            "needed (last axis K >= 2)."
        )
    if not is_traced(rates):
        host = np.asarray(rates)
        wrong = host[~((host >= 0) & (host <= 1))]
        if wrong.size:
            raise ValueError(
                f"`success_rates` contains {wrong.flat[0]:g}; rates are "
                "probabilities, between 0 and 1."
            )
    return rates


def _check_length(name: str, array: Any, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(
            f"`{name}` has shape {array.shape} but `success_rates` has {shape}; "
            "give one number per pattern."
        )


def _check_sums(name: str, host: np.ndarray) -> None:
    if not np.isfinite(host).all():
        raise ValueError(f"`{name}` contains an infinity; give finite probabilities.")
    if (host < 0).any():
        raise ValueError(
            f"`{name}` contains {host.min():g}; probabilities are not negative."
        )
    sums = host.sum(axis=-1)
    wrong = sums[~(np.abs(sums - 1) <= SUM_TOLERANCE)]
    if wrong.size:
        raise ValueError(
            f"`{name}` sums to {wrong.flat[0]:.8g}; probabilities sum to 1: divide "
            "by the sum."
        )


def log_of_policy(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    policy = given_array(name, value)
    _check_not_nan(name, policy)
    _check_length(name, policy, shape)
    if is_traced(policy):
        return jnp.log(jnp.asarray(policy, dtype=float))
    host = np.asarray(policy, dtype=float)
    _check_sums(name, host)
    with np.errstate(divide="ignore"):  # not by JAX, to which 1e-310 is 0
        return floats(np.log(host))


def checked_logits(value: Any, shape: tuple[int, ...]) -> Array:
    given = given_array("logits", value)
    _check_not_nan("logits", given)
    _check_length("logits", given, shape)
    if is_traced(given):
        return floats(given)
    host = np.asarray(given, dtype=float)
    if (host == np.inf).any():
        raise ValueError("`logits` contains +inf; give finite numbers or -inf.")
    if not np.isfinite(host).any(axis=-1).all():
        raise ValueError("`logits` are all -inf; at least one must be finite.")
    limits = jnp.finfo(jax.dtypes.canonicalize_dtype(float))
    most = ODDS_ERROR / float(limits.eps)
    with np.errstate(over="ignore"):
        below = host - host.max(axis=-1, keepdims=True)
    if (np.where(host > -np.inf, below, 0) < -most).any():
        raise ValueError(
            f"`logits` are more than {most:.2g} apart, where the odds are lost to "
            f"rounding in {limits.dtype}; bring them nearer together, or give -inf to "
            "a pattern that is never chosen."
        )
    return floats(below)


def check_support(log_policy: Array, log_reference: Array) -> None:
    if is_traced(log_policy) or is_traced(log_reference):
        return
    inside, reference = np.asarray(log_policy), np.asarray(log_reference)
    if ((inside > -np.inf) & (reference == -np.inf)).any():
        raise ValueError(
            "`reference_policy` is 0 where the base policy is not: KL is infinite; "
            "give every pattern of the base model some reference probability."
        )


def checked_kernel(value: Any) -> Array:
    kernel = _as_floats("answer_kernel", value)
    if kernel.ndim < 2 or kernel.shape[-1] < 2:
        raise ValueError(
            f"`answer_kernel` has shape {kernel.shape}; give one row per pattern with "
            "at least two answers, the correct one first."
        )
    if not is_traced(kernel):
        _check_sums("answer_kernel row", np.asarray(kernel))
    return kernel


def check_kernel_agrees(kernel: Array, rates: Array) -> None:
    if kernel.shape[:-1] != rates.shape:
        raise ValueError(
            f"`answer_kernel` has {kernel.shape[:-1]} rows but `success_rates` has "
            f"shape {rates.shape}; give one row per pattern."
        )
    if not (is_traced(kernel) or is_traced(rates)):
        apart = np.abs(np.asarray(kernel[..., 0]) - np.asarray(rates)).max()
        if not apart <= SUM_TOLERANCE:
            raise ValueError(
                f"column 0 of `answer_kernel` differs from `success_rates` by "
                f"{apart:.3g}; it is the success rate: leave one of the two out."
            )


def checked_attributes(given: Any, shape: tuple[int, ...]) -> dict[str, Array]:
    check_kind("attributes", given, Mapping | None, '{"factuality": [0.9, 0.2]}')
    columns = {}
    for name in sorted(given or {}, key=str):
        check_attribute_name(name)
        columns[name] = real_array(name, given[name])
        _check_length(name, columns[name], shape)
        check_finite(name, columns[name])
    return columns


def check_attribute_name(name: Any) -> None:
    """Raise `ValueError` for what is no name of an attribute."""
    if not isinstance(name, str) or not re.fullmatch("[a-z][a-z0-9_-]*", name):
        raise ValueError(
            f"{shown(name)} is no name of an attribute; take lower-case letters, "
            "digits, - and _, and begin with a letter, like held-out."
        )
