"""JAX's own random numbers, by the same hash, written out.

Threefry 2x32 with 20 rounds (Salmon et al. 2011, "Parallel random numbers: as easy as
1, 2, 3"). JAX lowers it to a loop on a CPU, which compiles sooner, but runs as dozens
of small kernels, half of the cost of a small group. Here it is one expression, which
XLA fuses with what uses it. Keys and words of 32 bits are those of `jax.random` with
its default settings, for keys of its default kind (tested).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, UInt32

KIND = "threefry2x32"  # of keys
ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
PARITY = 0x1BD11BDA

Pair = tuple[UInt32[Array, "..."], UInt32[Array, "..."]]
Words = tuple[UInt32[Array, "..."], UInt32[Array, "..."], UInt32[Array, "..."]]


def words(key: Key[Array, ""]) -> Words:
    """The three words that the hash adds on its way, of a key."""
    first, second = jax.random.key_data(key)
    return first, second, first ^ second ^ jnp.uint32(PARITY)


def hashed(words: Words, number: UInt32[Array, "..."]) -> Pair:
    """Two words of 32 bits for each `number`, one block of the cipher."""
    x, y = words[0], number + words[1]
    for turn in range(5):
        for by in ROTATIONS[turn % 2]:
            x = x + y
            y = x ^ ((y << by) | (y >> (32 - by)))
        x = x + words[(turn + 1) % 3]
        y = y + words[(turn + 2) % 3] + jnp.uint32(turn + 1)
    return x, y


def fold_in(key: Key[Array, ""], number: Int[Array, ""] | int) -> Key[Array, ""]:
    """`jax.random.fold_in`."""
    pair = hashed(words(key), jnp.asarray(number).astype(jnp.uint32))
    return jax.random.wrap_key_data(jnp.stack(pair), impl=KIND)


def uniform(words: Words, number: int, dtype) -> Float[Array, " n"]:
    """Numbers in (0, 1), of all 64 bits: near 0 they are as fine as floats are.

    `jax.random.uniform` gives whole multiples of 2^-23 (2^-52 in float64), 0 among
    them, which is below every probability, however small.
    """
    x, y = hashed(words, jnp.arange(number, dtype=jnp.uint32))
    return x.astype(dtype) * 2.0**-32 + (y.astype(dtype) + 0.5) * 2.0**-64
