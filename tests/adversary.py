"""An attacker's tools, all of them real: what can be computed from bytes that a client sends and gets.

Attacks are on the weights. The attacker is a client: it chooses c0 of its queries, b of its public key and both seeds,
and it reads c1 and the target words of every answer. Symbols as in
:mod:`hermetic.circuits.linear.bounds`; W is the polynomial of the weights, u the mask of an encryption of zero,
P = q/q'.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from hermetic import CompiledModel, Layout, MaskingKey, Parameters, PublicKey, Query, Result, Signature
from hermetic.arrays import Integers
from hermetic.circuits import masking
from hermetic.circuits.linear import bounds, evaluate
from hermetic.circuits.linear.weights import EncodedWeights
from hermetic.circuits.packing import released
from hermetic.circuits.query import Batch
from hermetic.rlwe import modular
from hermetic.rlwe.ring import Ring
from hermetic.rlwe.seeds import PUBLIC_KEY_DOMAIN, QUERY_DOMAIN, SEED_BYTES, expand

BigIntegers = npt.NDArray[np.object_]


# What every client knows


def query_c1(query: Query) -> modular.Residues:
    """The c1 of every ciphertext of a query, in evaluation form."""
    one = query.parameters
    return np.stack([expand(QUERY_DOMAIN, query.batch.query, i, one, one.data_primes) for i in range(len(query.c0))])


def coefficients(residues: modular.Residues, parameters: Parameters) -> BigIntegers:
    """Residues (..., L, N) in evaluation form as centred integers (..., N)."""
    shape = residues.shape
    values = Ring.of(parameters).intt(residues.reshape(-1, *shape[-2:])).reshape(shape)
    return modular.to_centred_integers(values, parameters.key_primes[: shape[-2]])


def centred(values: BigIntegers, modulus: int) -> BigIntegers:
    values = values % modulus
    return np.where(values > modulus // 2, values - modulus, values)


def lifted(result: Result, polynomial: int = 0) -> BigIntegers:
    """One c1 of an answer, times P: the polynomial before rescaling, up to P/2 in every coefficient."""
    parameters = result.parameters
    return modular.to_centred_integers(result.c1[polynomial], parameters.kept_primes) * parameters.rescale_factor


# Attacks on c1


def bare_product(model: CompiledModel, query: Query) -> BigIntegers:
    """c1·W of a query's first polynomials of results, (G, N): what a service without masks would release."""
    encoded = model.encoded(query.batch.layout)
    ciphertexts = np.empty((encoded.blocks, 2, *query.c0.shape[1:]))
    masking.lift(query, range(encoded.blocks), ciphertexts)
    products = encoded.products(encoded.tiles[0], ciphertexts)
    primes = np.array(query.parameters.data_primes, dtype=np.int64)[:, None]
    return coefficients(np.mod(products[:, 1].astype(np.int64), primes), query.parameters)


def weights_by_division(c1: BigIntegers, query: Query, outputs: int, features: int) -> Integers:
    """c1·W / c1, modulo the first prime, read as weights (outputs, features) of a query of one polynomial."""
    layout, parameters = query.batch.layout, query.parameters
    prime, ring = parameters.data_primes[0], Ring.of(parameters)
    numerator = ring.ntt((c1 % prime).astype(np.int64)[None, None])[0, 0]
    inverses = np.array([pow(int(one), -1, prime) for one in query_c1(query)[0, 0]], dtype=np.int64)
    quotient = ring.intt(modular.multiply(numerator, inverses, prime)[None, None])[0, 0]
    small = np.where(quotient > prime // 2, quotient - prime, quotient)
    return small[weight_exponents(layout, outputs, features)]


def weight_exponents(layout: Layout, outputs: int, features: int) -> npt.NDArray[np.intp]:
    """Where W has w[v, u], for a query of one polynomial; see :mod:`hermetic.circuits.packing`."""
    v, u = np.arange(outputs)[:, None], np.arange(features)[None, :]
    return np.asarray(layout.samples * (layout.features * v + layout.features - 1 - u), dtype=np.intp)


def weights_by_lattice(c1: BigIntegers, query: Query, outputs: int, features: int) -> Integers | None:
    """The small W with c1·W close to an answer's c1, modulo q, by lattice reduction; None if there is none.

    Works where division does not, after rescaling, which adds an error of up to P/2 to every coefficient. For few
    weights (outputs·features) and queries of one polynomial.
    """
    parameters = query.parameters
    (own,) = coefficients(query_c1(query), parameters)
    exponents = weight_exponents(query.batch.layout, outputs, features).reshape(-1)
    columns = np.stack([negacyclic_shift(own, int(e)) for e in exponents], axis=1)
    count = len(exponents)
    found = small_solution(columns[:count], c1[:count], parameters.query_modulus, parameters.rescale_factor // 2)
    return None if found is None else np.array(found, dtype=object).reshape(outputs, features)


def negacyclic_shift(polynomial: BigIntegers, exponent: int) -> BigIntegers:
    """polynomial·X^exponent modulo X^N + 1."""
    split = len(polynomial) - exponent
    return np.concatenate([-polynomial[split:], polynomial[:split]])


def small_solution(matrix: BigIntegers, values: BigIntegers, modulus: int, error: int) -> list[int] | None:
    """x with matrix·x = values + (at most error) modulo the modulus, by Kannan's embedding; entries below 2^20."""
    rows, columns = matrix.shape
    scale = error >> 20
    basis = [[*map(int, matrix[:, j]), *(scale * (i == j) for i in range(columns)), 0] for j in range(columns)]
    basis += [[modulus * (i == j) for i in range(rows)] + [0] * (columns + 1) for j in range(rows)]
    basis += [[*map(int, values), *[0] * columns, error]]
    for row in reduced(basis):
        if abs(row[-1]) == error:
            sign = -1 if row[-1] > 0 else 1
            return [sign * one // scale for one in row[rows:-1]]
    return None


def reduced(basis: list[list[int]]) -> list[list[int]]:
    """The basis after lattice reduction (Lenstra, Lenstra and Lovász, 1982), in exact integers."""
    b, n = [list(row) for row in basis], len(basis)
    d, lam = [1] * (n + 1), [[0] * n for _ in range(n)]
    k = 0
    while k < n:
        for j in range(k + 1):
            u = sum(x * y for x, y in zip(b[k], b[j], strict=True))
            for i in range(j):
                u = (d[i + 1] * u - lam[k][i] * lam[j][i]) // d[i]
            if j < k:
                lam[k][j] = u
            else:
                d[k + 1] = u
        for j in reversed(range(k)):
            step = (2 * lam[k][j] + d[j + 1]) // (2 * d[j + 1])
            if step:
                b[k] = [x - step * y for x, y in zip(b[k], b[j], strict=True)]
                lam[k][:j] = [x - step * y for x, y in zip(lam[k][:j], lam[j][:j], strict=True)]
                lam[k][j] -= step * d[j + 1]
        if k and 4 * (d[k + 1] * d[k - 1] + lam[k][k - 1] ** 2) < 3 * d[k] ** 2:
            b[k], b[k - 1] = b[k - 1], b[k]
            k -= 1
        else:
            k += 1
    return b


def recognised(c1: BigIntegers, product: BigIntegers, parameters: Parameters) -> float:
    """The share of coefficients of an answer's c1 that fit a guess of c1·W: 1 if nothing masks it.

    The sharpest test of a mask: an attacker who knows the weights still cannot see them.
    """
    gap = centred(c1 - product, parameters.query_modulus)
    return float(np.mean(np.abs(gap) <= parameters.rescale_factor))


# Attacks on scores


def weights_by_scores(inputs: Integers, scores: Integers, result_bits: int) -> list[list[int] | None]:
    """For each output the small w with w·x = y, for samples x (n, d) and their integer scores (n, k): fewer than d do.

    Samples are compared with the first, so that the bias falls out. Equations hold exactly modulo 2^T; they count 2^30
    times as much as the size of the weights.
    """
    rows = (inputs[1:] - inputs[0]).astype(object) << 30
    right = (scores[1:] - scores[0]).astype(object) << 30
    return [small_solution(rows, one, 1 << result_bits + 30, error=1 << 20) for one in right.T]


# Forged public keys


def coefficients_per_word(signature: Signature, bits: int) -> int:
    """How many coefficients of u, of so many bits each, one target word can hold above the flooding."""
    return int(math.log2(signature.parameters.query_modulus / _unit(signature)) - 1) // bits


def _unit(signature: Signature) -> int:
    return (1 << signature.flood_bits) + (1 << (signature.flood_bits - 6))


def forged_key(signature: Signature, stride: int, bits: int = bounds.MASK_BITS) -> PublicKey:
    """b = K·(1 + R·X^stride + R^2·X^(2·stride) + …), R = 2^bits: target word t of an answer holds, above its
    flooding, the base-R digits u[t], u[t - stride], u[t - 2·stride], …
    """
    parameters = signature.parameters
    polynomial = [0] * parameters.ring_degree
    for j in range(coefficients_per_word(signature, bits)):
        polynomial[j * stride] = _unit(signature) << bits * j
    b = np.array([[one % prime for one in polynomial] for prime in parameters.key_primes], dtype=np.int64)
    return PublicKey(parameters, secrets.token_bytes(SEED_BYTES), Ring.of(parameters).ntt(b[None])[0])


def silent_query(signature: Signature, key: PublicKey, layout: Layout, samples: int) -> Query:
    """A query whose c0 are zero, so that target words hold nothing but u, the bias and flooding."""
    batch = Batch(
        signature.digest, bytes.fromhex(key.id), secrets.token_bytes(SEED_BYTES), samples, layout, vector=False
    )
    ciphertexts = layout.chunks(samples) * layout.query_polynomials(signature.features)
    shape = (ciphertexts, len(signature.parameters.data_primes), signature.parameters.ring_degree)
    return Query(signature.parameters, batch, np.zeros(shape, dtype=np.int64))


def read_digits(
    values: BigIntegers, positions: Any, signature: Signature, stride: int, bits: int = bounds.MASK_BITS
) -> dict[int, int]:
    """The coefficients of u, by index, that c0 values (before rescaling) at the positions hold under a forged key.

    A coefficient is in [-2^(bits-1), 2^(bits-1)), and stands there negated where it wraps around X^N + 1.
    """
    n, unit, base = signature.parameters.ring_degree, _unit(signature), 1 << bits
    found: dict[int, int] = {}
    for position, value in zip(positions, values, strict=True):
        rest = (int(value) + unit // 2) // unit
        for j in range(coefficients_per_word(signature, bits)):
            index = int(position) - j * stride
            wraps = index < 0
            digit = (rest + base // 2 - wraps) % base - base // 2 + wraps
            rest = (rest - digit) // base
            found[index % n] = -digit if wraps else digit
    return found


def read_mask(result: Result, signature: Signature, bias: Integers, bits: int = bounds.MASK_BITS) -> dict[int, int]:
    """The coefficients of u that one polynomial of target words gives. The bias is what an honest zero sample gives."""
    parameters, batch = signature.parameters, result.batch
    (indices,) = released(batch.layout, batch.samples, signature.circuit.integer_outputs)[0]
    words = modular.to_centred_integers(result.words, parameters.kept_primes)
    words = words - signature.circuit.delta * np.repeat(bias, indices.shape[1]).astype(object)
    values = centred(words, parameters.result_modulus) * parameters.rescale_factor
    return read_digits(values, indices.reshape(-1), signature, batch.layout.samples, bits)


def unmasked(result: Result, key: PublicKey, mask: dict[int, int]) -> BigIntegers:
    """The answer's c1 without u·a: c1·W up to the rounding of rescaling."""
    parameters = result.parameters
    primes, n = parameters.data_primes, parameters.ring_degree
    u = modular.from_integers(np.array([mask[i] for i in range(n)]), primes)
    a = expand(PUBLIC_KEY_DOMAIN, key.seed, 0, parameters, primes)
    pairs = zip(Ring.of(parameters).ntt(u[None])[0], a, primes, strict=True)
    return lifted(result) - coefficients(np.stack([modular.multiply(*pair) for pair in pairs]), parameters)


def answer_unchecked(model: CompiledModel, signature: Signature, query: Query, key: PublicKey, bits: int) -> Result:
    """An answer in any layout and ring, under masks of any width: no model that Hermetic makes or loads gives it."""

    def encoded(layout: Layout) -> EncodedWeights:
        return EncodedWeights(model.integers, signature, layout)

    with patch.object(bounds, "MASK_BITS", bits):
        return evaluate.evaluate(signature, encoded, query, MaskingKey(key))


def with_c0(query: Query, c0: modular.Residues | int, key: PublicKey) -> Query:
    """The query with other words, asking for an answer under ``key``."""
    batch = replace(query.batch, key=bytes.fromhex(key.id))
    return replace(query, batch=batch, c0=np.broadcast_to(c0, query.c0.shape).astype(np.int64))


def with_b(key: PublicKey, b: modular.Residues | int) -> PublicKey:
    return replace(key, b=np.broadcast_to(b, key.b.shape).astype(np.int64))
