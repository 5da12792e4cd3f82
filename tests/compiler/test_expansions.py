"""Steps that clients compute: what becomes public, what stays private, and what is refused."""

from __future__ import annotations

import json
import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import AdditiveChi2Sampler, Nystroem, RBFSampler
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import CategoricalNB, GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, PolynomialFeatures, SplineTransformer, StandardScaler

import hermetic
from hermetic import Client, CompileError, InputError, UnsupportedModelError
from hermetic.compiler.polynomials import Substitution, centred, substitute
from hermetic.features import Bins, Columns, FeatureMap, Identity, Monomials

X, Y = load_diabetes(return_X_y=True)
IRIS, KINDS = load_iris(return_X_y=True)


def additive(**options: Any) -> Any:
    return make_pipeline(SplineTransformer(**options), Ridge()).fit(X, Y)


class TestWhatBecomesPublic:
    def test_learned_knots_need_a_word(self) -> None:
        what = r"see: 50 knots of 10 inputs of 'splinetransformer'\. Pass public=\['splinetransformer'\]"
        with pytest.raises(CompileError, match=what):
            hermetic.compile(additive(), X)

    @pytest.mark.parametrize("name", ["splinetransformer", "SplineTransformer"])
    def test_the_word_is_the_name_of_the_step_or_its_class(self, name: str) -> None:
        model = hermetic.compile(additive(n_knots=4), X, public=[name])
        (block,) = json.loads(model.signature.json)["feature_map"]
        assert block["kind"] == "splines"
        np.testing.assert_allclose(block["knots"][0], np.linspace(X[:, 0].min(), X[:, 0].max(), 4))

    def test_given_knots_need_none(self, caplog: pytest.LogCaptureFixture) -> None:
        knots = np.linspace(X.min(axis=0), X.max(axis=0), 4)
        with caplog.at_level(logging.INFO, "hermetic"):
            hermetic.compile(additive(knots=knots), X)
        assert "public: 40 knots of 10 inputs of 'splinetransformer' (not learned)" in caplog.messages

    def test_a_scaler_before_splines_becomes_public_too(self) -> None:
        pipeline = make_pipeline(StandardScaler(), SplineTransformer(), Ridge()).fit(X, Y)
        with pytest.raises(CompileError, match=r"of 'standardscaler'; 50 knots .* public=\['standardscaler', 'spline"):
            hermetic.compile(pipeline, X)

    def test_a_scale_that_was_learned_needs_a_word(self) -> None:
        fourier = make_pipeline(RBFSampler(gamma="scale", random_state=0), Ridge()).fit(X, Y)
        with pytest.raises(CompileError, match="random numbers, with the variance of the training data in their size"):
            hermetic.compile(fourier, X)

    @pytest.mark.parametrize("words", [[], ["nystroem"], ["training rows"]])
    def test_training_rows_need_their_own_word(self, words: list[str]) -> None:
        near = make_pipeline(Nystroem(n_components=5, random_state=0), Ridge()).fit(X, Y)
        what = r"5 whole rows of the training data of 'nystroem'\. Pass public=\[.*'nystroem'.*\]"
        with pytest.raises(CompileError, match=what) as refusal:
            hermetic.compile(near, X, public=words)
        assert "'training rows'" in str(refusal.value)
        assert hermetic.compile(near, X, public=["nystroem", "training rows"]).signature.features == 5

    def test_a_scaler_before_polynomials_stays_private(self) -> None:
        """Neither its numbers nor any other that was learned are in the signature: centres are those of the range."""
        cancer, labels = load_breast_cancer(return_X_y=True)
        rows = cancer[:, :4]
        pipeline = make_pipeline(StandardScaler(), PolynomialFeatures(), LogisticRegression()).fit(rows, labels)
        low, high = np.zeros(4), np.array([30.0, 40.0, 200.0, 3000.0])
        model = hermetic.compile(pipeline, input_range=(low, high))
        (block,) = model.signature.feature_map.blocks  # type: ignore[union-attr]
        assert isinstance(block, Monomials)
        np.testing.assert_array_equal(block.centre, (low + high) / 2)
        assert block.outputs == 14
        client = Client(model.signature)
        scores = client.decrypt(model.evaluate(client.encrypt(rows[:9]), client.public_key))
        assert np.abs(scores - pipeline.decision_function(rows[:9])).max() <= model.signature.error

    def test_centres_of_whole_numbers_keep_them_whole(self) -> None:
        grades = np.random.default_rng(0).integers(0, 101, (200, 3)).astype(np.uint8)
        pipeline = make_pipeline(PolynomialFeatures(), Ridge()).fit(grades, grades.sum(axis=1))
        grid = hermetic.compile(pipeline, grades).signature.grid
        assert grid.exact
        assert set(grid.step) == {1.0}
        assert grid.upper.max() == 128**2

    def test_how_many_categories_there_are_needs_a_word_unless_it_was_chosen(self) -> None:
        codes = (IRIS * 2).astype(int)
        with pytest.raises(CompileError, match="how many categories each of 4 inputs has of 'categoricalnb'"):
            hermetic.compile(CategoricalNB().fit(codes, KINDS))
        hermetic.compile(CategoricalNB(min_categories=20).fit(codes, KINDS))


class TestPolynomials:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(50, 3))

    def check(self, found: Substitution | None, features: FeatureMap, seen: np.ndarray, given: np.ndarray) -> None:
        assert found is not None
        expected, new = features.apply(seen), found.features.apply(given)
        np.testing.assert_allclose(new @ found.weights.toarray().T + found.bias, expected, rtol=0, atol=1e-12)
        reach = np.abs(new) @ found.reach.toarray().T + np.abs(found.bias) + found.folded
        assert (np.abs(expected) <= reach + 1e-12).all()

    def test_those_of_an_affine_map_are_an_affine_map_of_those_of_the_inputs(self) -> None:
        weights, bias = self.rng.normal(size=(2, 3)), self.rng.normal(size=2)
        features = FeatureMap(Monomials(2, [(0,), (0, 1), (1, 1, 1)], [0.5, -1.0]))
        found = substitute(features, weights, bias, np.abs(weights), 0.0)
        self.check(found, features, self.values @ weights.T + bias, self.values)

    def test_of_columns_beside_others(self) -> None:
        blocks = [Columns(Monomials(2, [(0,), (0, 1)]), [2, 0], 3), Columns(Identity(1), [1], 3)]
        scale, shift = np.diag([2.0, -3.0, 0.5]), np.array([1.0, 0.0, 4.0])
        found = substitute(FeatureMap(*blocks), scale, shift, np.abs(scale), 0.0)
        self.check(found, FeatureMap(*blocks), self.values @ scale + shift, self.values)

    def test_around_a_centre(self) -> None:
        features = FeatureMap(Monomials(3, [(0,), (0, 0), (0, 1, 2)]))
        self.check(centred(features, np.array([1.0, -2.0, 0.0])), features, self.values, self.values)

    def test_other_features_are_no_polynomials(self) -> None:
        assert centred(FeatureMap(Bins([[0.0]])), np.zeros(1)) is None

    def test_too_many_products_are_not_taken(self) -> None:
        wide = np.ones((2, 200))
        features = FeatureMap(Monomials(2, [(0, 1), (0, 0)]))
        assert substitute(features, wide, np.zeros(2), wide, 0.0) is None

    def test_a_projection_that_would_make_too_many_becomes_public_instead(self) -> None:
        wide = np.random.default_rng(0).normal(size=(150, 100))
        pipeline = make_pipeline(PCA(2), PolynomialFeatures(), Ridge()).fit(wide, wide[:, 0])
        with pytest.raises(CompileError, match="numbers of an affine map from 100 to 2 values of 'pca'"):
            hermetic.compile(pipeline, wide)
        assert hermetic.compile(pipeline, wide, public=["pca"]).signature.features == 5


class TestErrors:
    @pytest.mark.parametrize(
        ("step", "message"),
        [
            (SplineTransformer(degree=0), "must have degree 1 or more. Got 0 instead: use KBinsDiscretizer"),
            (SplineTransformer(degree=1, extrapolation="linear"), "degree 2 or more with extrapolation='linear'"),
            (SplineTransformer(knots="quantile"), "outer knots that differ, in every column. Got equal ones instead"),
            (SplineTransformer(degree=17), "must be some that a client computes: the degree of splines must be"),
            (PolynomialFeatures(0), "that are not constant. Got degree=0 of 10 inputs instead: set another degree"),
            (PolynomialFeatures((11, 11), interaction_only=True), "that a client computes: the number of factors must"),
            (Nystroem(kernel="linear", n_components=5), "must have kernel='rbf'.* use RBFSampler, which publishes no"),
        ],
    )
    def test_an_option_that_is_not_supported(self, step: Any, message: str) -> None:
        pipeline = make_pipeline(step, Ridge())
        with pytest.raises(UnsupportedModelError, match=message):
            hermetic.compile(pipeline.fit(X, Y), X)

    def test_a_range_beyond_the_knots(self) -> None:
        strict = additive(extrapolation="error")
        with pytest.raises(CompileError, match=r"defined for every input in range: .* for input 0. The range reaches"):
            hermetic.compile(strict, X, public=["splinetransformer"])
        limits = X.min(axis=0), X.max(axis=0)
        hermetic.compile(strict, X, public=["splinetransformer"], input_range=limits)

    def test_a_range_below_zero(self) -> None:
        sums = make_pipeline(AdditiveChi2Sampler(), LogisticRegression(max_iter=500)).fit(IRIS, KINDS)
        with pytest.raises(
            CompileError, match=r"must not be negative. The range of input 0 starts at -1: pass input_r"
        ):
            hermetic.compile(sums, input_range=(-1, 9))
        model = hermetic.compile(sums, IRIS)
        with pytest.raises(InputError, match=r"must not be negative. Got -1 \(sample 0, feature 2\)"):
            Client(model.signature).encrypt(np.array([[5.0, 3.0, -1.0, 0.2]]))

    def test_a_category_that_was_never_seen(self) -> None:
        model = hermetic.compile(CategoricalNB(min_categories=3).fit(KINDS[:, None], KINDS))
        with pytest.raises(InputError, match=r"must be one of 0, 1, 2. Got 3(\.0)? \(sample 1\) instead"):
            Client(model.signature).encrypt(np.array([[0.0], [3.0]]))

    def test_codes_of_texts_are_read_once(self) -> None:
        """An encoder's numbers are those of a naive Bayes: texts go in, and another text is refused by its name."""
        table = pd.DataFrame({"size": np.array(["s", "m", "l"])[KINDS], "wide": np.where(IRIS[:, 1] > 3, "yes", "no")})
        pipeline = make_pipeline(OrdinalEncoder(), CategoricalNB(min_categories=3)).fit(table, KINDS)
        model = hermetic.compile(pipeline, table, public=["ordinalencoder"])
        client = Client(model.signature)
        found = client.predict_proba(model.evaluate(client.encrypt(table[::10]), client.public_key))
        assert np.abs(found - pipeline.predict_proba(table[::10])).max() <= model.signature.error
        with pytest.raises(InputError, match=r"column 'size' must be one of 'l', 'm', 's'\. Got 'xl'"):
            client.encrypt(table[:1].assign(size="xl"))

    def test_numbers_that_no_category_has(self) -> None:
        other = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        pipeline = make_pipeline(other, CategoricalNB(min_categories=3)).fit(KINDS[:, None], KINDS)
        with pytest.raises(CompileError, match=r"Value 0 before a step with categories was computed"):
            hermetic.compile(pipeline, KINDS[:, None], public=["ordinalencoder"])

    def test_a_class_that_cannot_be(self) -> None:
        with pytest.raises(
            CompileError, match=r"finite logarithms of the classes' priors. Got 1 that .* priors above 0"
        ):
            hermetic.compile(GaussianNB(priors=[0.5, 0.5, 0.0]).fit(IRIS, KINDS), IRIS)
