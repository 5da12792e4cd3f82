/** Arithmetic on public residues modulo a prime below 2^50, which float64 holds and adds exactly. */

/** N residues modulo one prime, in [0, p). */
export type Residues = Float64Array<ArrayBuffer>;

/** One row of residues a prime. */
export type Polynomial = readonly Residues[];

export function add(a: Residues, b: Residues, prime: number): Residues {
  return a.map((one, i) => {
    const sum = one + b[i]!;
    return sum >= prime ? sum - prime : sum;
  });
}

export function subtract(a: Residues, b: Residues, prime: number): Residues {
  return a.map((one, i) => {
    const difference = one - b[i]!;
    return difference < 0 ? difference + prime : difference;
  });
}

/** Whole numbers times a factor, modulo a prime. */
export function scale(values: Float64Array, factor: bigint, prime: number): Residues {
  const modulus = BigInt(prime);
  const reduced = factor % modulus;
  const out = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    if (values[i] === 0) continue;
    const residue = Number((BigInt(values[i]!) * reduced) % modulus);
    out[i] = residue < 0 ? residue + prime : residue;
  }
  return out;
}

/**
 * The integer in (-q/2, q/2] with these residues, q the product of the primes, by Garner's algorithm.
 *
 * Returns a function of the residues, so that inverses are computed once.
 */
export function centredInteger(primes: readonly number[]): (residues: readonly number[]) => bigint {
  const steps = primes.map((prime, i) => {
    const before = primes.slice(0, i).reduce((total, one) => total * BigInt(one), 1n);
    return { prime: BigInt(prime), before, inverse: inverse(before, BigInt(prime)) };
  });
  const modulus = primes.reduce((total, prime) => total * BigInt(prime), 1n);
  return (residues) => {
    let value = 0n;
    steps.forEach(({ prime, before, inverse }, i) => {
      const gap = (((BigInt(residues[i]!) - value) % prime) + prime) % prime;
      value += before * ((gap * inverse) % prime);
    });
    return value > modulus / 2n ? value - modulus : value;
  };
}

/** value^-1 modulo a prime, by Fermat. */
function inverse(value: bigint, prime: bigint): bigint {
  let result = 1n;
  let base = value % prime;
  for (let exponent = prime - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % prime;
    base = (base * base) % prime;
  }
  return result;
}
