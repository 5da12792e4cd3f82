"""Encrypted scores are within the error, noise within its bound, and no answer wraps unseen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from known_networks import (
    TOLERANCE,
    Shape,
    answered,
    circuit_of,
    client_of,
    compiled,
    compiled_from,
    convolution,
    first_changed,
    near,
    network_of,
)

from hermetic import CalibrationError, Client, CompiledModel, ModelFileError, Signature
from hermetic.circuits.masking import lift
from hermetic.circuits.networks import simulate
from hermetic.circuits.networks.evaluate import ClientKeys
from hermetic.circuits.networks.network import Network
from hermetic.circuits.networks.ranges import HiddenRange
from hermetic.circuits.networks.window import Window
from hermetic.errors import PrecisionError
from hermetic.rlwe import modular
from hermetic.rlwe.public_ring import PublicRing

SHAPES = [
    Shape(),
    Shape(degree=4),
    Shape(degree=3, hidden=5, outputs=1),
    Shape(inputs=1, hidden=1, outputs=1),
    Shape(inputs=70, hidden=33, outputs=7, proved=False),
    Shape(inputs=5, hidden=20, outputs=2, degree=4, proved=False),
    Shape(inputs=9, hidden=600, outputs=10),
    Shape(inputs=9, hidden=300, outputs=17, degree=4, proved=False),
    convolution(Window((1, 6, 6), (3, 3), (1, 1), (0, 0)), 3),
    convolution(Window((2, 7, 6), (3, 2), (2, 1), (1, 0)), 5, degree=3, proved=False),
    convolution(Window((1, 9, 9), (4, 4), (1, 1), (1, 1)), 40, outputs=9, degree=4),
    Shape(hidden=30, further=(20,)),
    Shape(degree=8),
    Shape(inputs=30, hidden=9, degree=5, outputs=2, proved=False),
    Shape(inputs=4, hidden=3, further=(2,), degree=4, outputs=1, proved=False),
    Shape(inputs=30, hidden=12, further=(40,), outputs=2, proved=False),
    convolution(Window((1, 9, 9), (4, 4), (2, 2), (1, 1)), 5, outputs=9, further=(12,)),
]


@pytest.fixture(params=SHAPES, ids=str)
def shape(request: pytest.FixtureRequest) -> Shape:
    return request.param


def inputs_for(shape: Shape, rows: int = 4) -> np.ndarray:
    """Where the range is proved, corners of it among them; otherwise inputs like the sample's."""
    random = np.random.default_rng(2)
    if not shape.proved:
        return near(shape.inputs)[:rows]
    return np.concatenate(
        [random.uniform(-1, 1, (rows, shape.inputs)), random.choice([-1.0, 1.0], (rows, shape.inputs))]
    )


def test_scores_are_within_the_error(shape: Shape) -> None:
    X, model = inputs_for(shape, rows=12), compiled(shape)
    reference = model.reference(client_of(shape).quantize(X)[0])
    assert np.abs(answered(shape, X) - reference).max() <= model.signature.error <= TOLERANCE


def test_the_simulation_is_the_evaluation_but_for_its_noise(shape: Shape) -> None:
    """With flooding alone between them: what is left of it after division, and a hundredth for all other noise."""
    X, model = inputs_for(shape)[:3], compiled(shape)
    circuit = circuit_of(model)
    simulated = model.simulate(client_of(shape).quantize(X)[0])
    flooding = 2.0 ** (circuit.flood_bits - 1 - circuit.score_exponent) / circuit.release_parameters.rescale_factor
    assert np.abs(answered(shape, X) - simulated).max() <= 1.01 * flooding


def test_the_noise_bound_is_kept_and_near(shape: Shape) -> None:
    """What flooding must hide: by how much the sums of an encrypted query, before they are flooded, differ from those
    of the simulation. It is at most the bound that lambda is made of, and not some thousand times less.
    """
    X, model, client = inputs_for(shape), compiled(shape), client_of(shape)
    circuit, program = circuit_of(model), model._half.program
    query, keys = client.encrypt(X), ClientKeys(model.masking_key(client.public_key))
    count, units = circuit.arrangement.ciphertexts, circuit.units(client.quantize(X)[0])
    primes, noise = circuit.release_parameters.data_primes, 0
    for sample, row in enumerate(units):
        lanes = PublicRing.of(query.parameters).empty_ciphertexts(count)
        lift(query, range(sample * count, (sample + 1) * count), lanes)
        found = phase(client, program.scores(lanes, keys))[: circuit.words]
        sums = simulate._sums(program, simulate._NoKeys(circuit.parameters), row)
        noise = max(noise, *np.abs(found - modular.to_centred_integers(sums, primes)).tolist())
    bound = 2.0 ** (circuit.flood_bits - circuit.lambda_bits)
    assert bound / 4000 < noise <= bound


def phase(client: Client, ciphertext: np.ndarray) -> np.ndarray:
    """c0 + c1·s of lanes (2, l, N), as centred integers (N,)."""
    parameters, level = client.signature.parameters, ciphertext.shape[1]
    primes, ring = parameters.data_primes[:level], PublicRing.of(parameters, level)
    residues = np.empty(ciphertext.shape, dtype=np.int64)
    ring._native.lower(ciphertext, residues)
    total = modular.add(client._secret_key.ring_key.times(residues[1][None])[0], residues[0], primes)
    return modular.to_centred_integers(ring.intt(total[None])[0], primes)


def test_batches_and_threads_answer_alike() -> None:
    shape = SHAPES[0]
    model, client, X = compiled(shape), client_of(shape), inputs_for(shape)
    many = client.decrypt(model.evaluate(client.encrypt(X), client.public_key, threads=2))
    assert np.abs(many - model.reference(client.quantize(X)[0])).max() <= model.signature.error
    for threads in (None, 1, 2, 16):
        one = client.decrypt(model.evaluate(client.encrypt(X[0]), client.public_key, threads=threads))
        assert one.shape == (3,)
        assert np.abs(one - many[0]).max() <= 2 * model.signature.error


FAR = Shape(inputs=40, hidden=16, outputs=2, proved=False)


def wrapping() -> tuple[CompiledModel, np.ndarray]:
    """A model that was calibrated near 0, and an input of its range that is far from there."""
    network = network_of(FAR)
    first = network.first
    network = first_changed(network, weights=np.abs(first.weights) * 40, polynomials=np.abs(first.polynomials))
    network = replace(network, readout=np.abs(network.readout) * 1000)
    return compiled_from(network, proved=False, tolerance=5.0), np.ones((1, FAR.inputs))


def test_an_answer_that_wrapped_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the range word it would be a small wrong number."""
    model, far = wrapping()
    client = Client(model.signature)
    reference = model.reference(client.quantize(far)[0])
    limit = 2.0 ** (49 - circuit_of(model).score_exponent)
    assert np.abs(reference).max() > limit
    result = model.evaluate(client.encrypt(far), client.public_key)
    with pytest.raises(CalibrationError, match="That of sample 0 is outside") as caught:
        client.decrypt(result)
    assert caught.value.sample == 0
    monkeypatch.setattr(type(client._half), "_check_range", lambda *_: None)
    wrong = client.decrypt(result)
    assert np.abs(wrong).max() <= limit
    assert np.abs(wrong - reference).max() > limit


def test_samples_near_the_calibration_are_answered_beside() -> None:
    model, far = wrapping()
    client = Client(model.signature)
    X = np.concatenate([near(FAR.inputs)[:2], far])
    with pytest.raises(CalibrationError, match="That of sample 2 is outside"):
        client.decrypt(model.evaluate(client.encrypt(X), client.public_key))


def test_no_input_of_a_proved_range_wraps() -> None:
    """The corners where hidden values are largest, and from each the one that changing inputs one by one leads to,
    until no change makes a score any larger, or smaller.
    """
    shape = SHAPES[0]
    network = compiled(shape).integers.network
    signs = np.sign(network.first.weights)
    starts = np.concatenate([signs, -signs])
    climbed = [climb(network, start, score, sign) for start in starts for score in range(3) for sign in (1, -1)]
    corners = np.unique(np.concatenate([starts, climbed]), axis=0)
    model, client = compiled(shape), client_of(shape)
    reference = model.reference(client.quantize(corners)[0])
    assert np.abs(answered(shape, corners) - reference).max() <= model.signature.error


def climb(network: Network, corner: np.ndarray, score: int, sign: int) -> np.ndarray:
    while True:
        near = corner * (1 - 2 * np.eye(len(corner)))
        values = sign * network.scores(np.concatenate([corner[None], near]))[:, score]
        if values.argmax() == 0:
            return corner
        corner = near[values.argmax() - 1]


def test_a_tolerance_that_cannot_be_met_says_what_would() -> None:
    network, shape = network_of(Shape(degree=4)), Shape(degree=4)
    with pytest.raises(PrecisionError, match="Ask for a larger"):
        compiled_from(network, tolerance=1e-12)
    with pytest.raises(PrecisionError, match="neurons and outputs may be 4096 each at N=8192"):
        compiled_from(network_of(replace(shape, hidden=4097, outputs=1)))


def test_a_model_whose_bounds_do_not_hold_is_refused() -> None:
    model = compiled(Shape())
    private, signature = model.integers, model.signature
    larger = replace(private, network=replace(private.network, readout=private.network.readout * 100))
    with pytest.raises(ModelFileError, match=r"scores must stay within the modulus|must be flooded by"):
        CompiledModel(larger, signature)
    circuit = replace(circuit_of(model), lambda_bits=circuit_of(model).lambda_bits + 1)
    with pytest.raises(ModelFileError, match="must be flooded by"):
        CompiledModel(private, Signature("known", signature.head, circuit, signature.error))
    calibrated = compiled(FAR)
    wide = circuit_of(calibrated)
    wide = replace(wide, range=replace(wide.range, exponent=wide.range.exponent + 8))
    with pytest.raises(ModelFileError, match="the range word must stay within the modulus"):
        CompiledModel(calibrated.integers, Signature("known", signature.head, wide, 1.0))
    with pytest.raises(ModelFileError, match="within 1e-09"):
        CompiledModel(private, Signature("known", signature.head, circuit_of(model), 1e-9))


def test_the_range_is_calibrated_on_the_sample() -> None:
    network = network_of(FAR)
    found = HiddenRange.calibrated(network, near(FAR.inputs), 1.1)
    (hidden,), (limits,), (reach,) = network.hidden_values(near(FAR.inputs)), found.limits, network.reach
    assert (limits <= np.minimum(1.1 * np.abs(hidden).max(axis=0), reach) + 1e-9).all()
    proved = HiddenRange.proved(network)
    assert found.largest_score < proved.largest_score
