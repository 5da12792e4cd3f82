"""Write test vectors: one directory a model, with every object of the protocol as bytes and what it must give.

    python tests/vectors/make.py DIRECTORY

Vectors that were committed stay as they are, for good: later versions of Hermetic must still read them. A new version
of a format gets a directory of its own beside ``version-1``.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import fitted
from hermetic import Client
from hermetic.rlwe import modular
from hermetic.rlwe.bitpacking import pack
from hermetic.rlwe.parameters import KNOWN
from hermetic.rlwe.ring import Ring
from hermetic.rlwe.seeds import PUBLIC_KEY_DOMAIN, QUERY_DOMAIN, SWITCHING_KEY_DOMAIN, expand

PASSPHRASE = "a passphrase that everybody knows"


def write(directory: Path, one: fitted.Fitted, X: Any) -> None:
    """The vectors of one model and one batch X, (n, d) or (d,)."""
    directory.mkdir(parents=True)
    client = Client(one.signature)
    query = client.encrypt(X)
    result = one.model.evaluate(query, client.public_key)
    files = {
        "signature.bin": one.signature.to_bytes(),
        "public_key.bin": client.public_key.to_bytes(),
        "query.bin": query.to_bytes(),
        "result.bin": result.to_bytes(),
    }
    for name, data in files.items():
        (directory / name).write_bytes(data)
    one.model.save(directory / "model.hermetic")
    client.secret_key.save(directory / "secret_key.bin", PASSPHRASE)
    expected = {
        "passphrase": PASSPHRASE,
        "signature": one.signature.digest.hex(),
        "public_key": client.public_key.id,
        "inputs": _as_json(X),
        "integer_inputs": client.quantize(X)[0].tolist(),
        "integers": client.decrypt_integers(result).tolist(),
        "scores": client.decrypt(result).tolist(),
        "predictions": client.predict(result).tolist(),
    }
    (directory / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def _as_json(X: Any) -> Any:
    """Nested lists, with None for NaN, which JSON does not have."""
    return np.where(np.isnan(X), None, np.asarray(X)).tolist()


def sha256(words: np.ndarray) -> str:
    """Of int64 words, little-endian, in C order."""
    return hashlib.sha256(np.ascontiguousarray(words, dtype="<i8").tobytes()).hexdigest()


def primitives() -> dict[str, Any]:
    """Known answers of what needs no key: digests, expanded seeds, transforms and packed words."""
    seed = bytes(range(32))
    out: dict[str, Any] = {"parameters": {}, "expand": [], "ntt": [], "pack": []}
    for name, one in KNOWN.items():
        out["parameters"][name] = one.digest.hex()
        domains = [(QUERY_DOMAIN, 1, one.query_primes), (PUBLIC_KEY_DOMAIN, 0, one.key_primes)]
        domains += [(SWITCHING_KEY_DOMAIN, 2, one.key_primes)] if one.switches_keys else []
        for domain, index, primes in domains:
            words = expand(domain, seed, index, one, primes)
            case = {"profile": name, "domain": domain.decode(), "seed": seed.hex(), "index": index}
            out["expand"].append({**case, "first": words[:, :4].tolist(), "sha256": sha256(words)})
        coefficients = np.arange(one.ring_degree) ** 2
        values = Ring.of(one).ntt(modular.from_integers(coefficients[None], one.data_primes))[0]
        out["ntt"].append({"profile": name, "first": values[:, :4].tolist(), "sha256": sha256(values)})
    for width in (2, 17, 42, 50):
        words = np.array([0, 1, (1 << width) - 1, 2, (1 << width) - 2]) & ((1 << width) - 1)
        out["pack"].append({"width": width, "words": words.tolist(), "bytes": pack(words, width).hex()})
    return out


def main(target: Path) -> None:
    petals, progression = fitted.petals(), fitted.progression()
    write(target / "fast", petals, petals.X[[0, 75, 149]])
    write(target / "precise", progression, progression.X.to_numpy()[0])
    for one, rows in ((fitted.growths(), [0, 1]), (fitted.species(), [75]), (fitted.loose(), [0])):
        write(target / one.signature.name, one, one.X[rows])
    write(target / "progress", fitted.progress(), fitted.progress().X[0])
    write(target / "neurons", fitted.neurons(), fitted.neurons().X[0])
    write(target / "windows", fitted.windows(), fitted.windows().X[0])
    write(target / "layers", fitted.layers(), fitted.layers().X[0])
    for path in target.glob("*/public_key.bin"):
        if path.parent.name != "fast":  # it is in the key file as well, and large
            path.unlink()
    (target / "primitives.json").write_text(json.dumps(primitives(), indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
