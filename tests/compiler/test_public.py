"""What becomes public: nothing that was learned without a word, nothing at all in silence."""

from __future__ import annotations

import logging
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_selection import SelectKBest
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
    TargetEncoder,
)

import hermetic
from hermetic import Client, CompileError, InputError, Signature, UnsupportedModelError

from .tables import FILLED, FILLED_TEXTS, NUMBERS, TEXTS, patients

X, Y = load_diabetes(return_X_y=True)
FRAME, TARGET = patients(return_X_y=True)
TABLE = ColumnTransformer([("numbers", FILLED, NUMBERS), ("texts", FILLED_TEXTS, TEXTS)])
WORD = ["onehotencoder", "simpleimputer"]


def fitted(*steps: Any, x: Any = X, y: Any = Y) -> Pipeline:
    return make_pipeline(*steps, Ridge()).fit(x, y)


def on_table() -> Pipeline:
    return fitted(TABLE, x=FRAME, y=TARGET)


class TestTheWord:
    def test_is_asked_for_with_all_that_would_become_public(self) -> None:
        estimator = fitted(StandardScaler(), KBinsDiscretizer(4))
        with pytest.raises(CompileError) as refusal:
            hermetic.compile(estimator, X)
        edges = sum(len(one) - 2 for one in estimator[1].bin_edges_)
        message = str(refusal.value)
        assert f"{edges} bin edges of 10 inputs of 'kbinsdiscretizer'" in message
        assert "20 numbers of an affine map from 10 to 10 values of 'standardscaler'" in message
        assert "public=['standardscaler', 'kbinsdiscretizer']" in message
        assert "--public standardscaler --public kbinsdiscretizer" in message

    def test_that_it_asks_for_is_enough(self) -> None:
        estimator = on_table()
        with pytest.raises(CompileError) as refusal:
            hermetic.compile(estimator, FRAME)
        found = re.search(r"public=\[(.*?)\]", str(refusal.value))
        assert found is not None
        hermetic.compile(estimator, FRAME, public=re.findall(r"'([^']*)'", found[1]))

    @pytest.mark.parametrize("word", ["kbinsdiscretizer", "KBinsDiscretizer", "KBINSDISCRETIZER"])
    def test_may_be_the_step_or_its_class(self, word: str) -> None:
        hermetic.compile(fitted(KBinsDiscretizer(4)), X, public=[word])

    def test_may_be_the_name_in_the_pipeline(self) -> None:
        estimator = Pipeline([("coarse", KBinsDiscretizer(4)), ("model", Ridge())]).fit(X, Y)
        with pytest.raises(CompileError, match=r"of 'coarse'.* is called 'bins'\. Pass public=\['coarse'\]"):
            hermetic.compile(estimator, X, public=["bins"])
        for word in ("coarse", "kbinsdiscretizer"):
            hermetic.compile(estimator, X, public=[word])

    def test_is_not_needed_where_nothing_was_learned(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO, "hermetic"):
            hermetic.compile(fitted(FunctionTransformer(np.tanh)), X)
        assert "public: the function tanh of 'functiontransformer' (not learned)" in caplog.messages

    def test_given_what_is_published_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO, "hermetic"):
            hermetic.compile(on_table(), FRAME, public=WORD)
        assert "public: 9 categories of 3 inputs of 'onehotencoder' (learned from data)" in caplog.messages

    def test_is_asked_for_each_of_two_with_one_name(self) -> None:
        with pytest.raises(CompileError, match=r"missing values of \d inputs of 'simpleimputer'.*; what stands"):
            hermetic.compile(on_table(), FRAME, public=["onehotencoder"])

    @pytest.mark.parametrize(
        ("step", "what"),
        [
            (MinMaxScaler(clip=True), "scales and shifts of 10 inputs"),
            (SimpleImputer(), "what stands for missing values of 10 inputs"),
            (MissingIndicator(), "which 10 of 10 inputs were missing"),
            (PowerTransformer(), "exponents of 10 inputs"),
            (OrdinalEncoder(), "categories of 10 inputs"),
            (
                make_pipeline(SelectKBest(k=3), KBinsDiscretizer(3)),
                "of an affine map from 10 to 3 values of 'selectkbest'",
            ),
        ],
    )
    def test_is_needed_for_all_that_was_learned(self, step: Any, what: str) -> None:
        holes = np.where(np.add.outer(np.arange(len(X)), np.arange(10)) % 11 == 0, np.nan, X)
        inputs = holes if isinstance(step, SimpleImputer | MissingIndicator) else X
        with pytest.raises(CompileError, match=f"must stay private.*{what}"):
            hermetic.compile(fitted(step, x=inputs), inputs)

    def test_a_choice_in_a_part_of_its_own_stays_private(self) -> None:
        """The columns that a selection took must not be told by those that pass beside the bins."""
        union = FeatureUnion([("best", SelectKBest(k=2)), ("bins", KBinsDiscretizer(3))])
        estimator = fitted(union)
        model = hermetic.compile(estimator, X, public=["kbinsdiscretizer"])
        bins = sum(len(one) - 1 for one in estimator[0].transformer_list[1][1].bin_edges_)
        assert model.signature.features == 10 + bins
        assert "select" not in str(model.signature.json).lower()


class TestTables:
    def test_texts_end_to_end(self) -> None:
        estimator = on_table()
        model = hermetic.compile(estimator, FRAME, public=WORD)
        client = Client(Signature.from_json(model.signature.json))
        result = model.evaluate(client.encrypt(FRAME), client.public_key)
        assert np.abs(client.decrypt(result) - estimator.predict(FRAME)).max() <= model.signature.error
        one = model.evaluate(client.encrypt(FRAME.iloc[5]), client.public_key)
        assert client.decrypt(one) == client.decrypt(result)[5]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                {"sex": "unheard of"},
                r"column 'sex' must be one of 'female', 'male', None. Got 'unheard of' \(sample 0\)",
            ),
            ({"age": "old"}, r"column 'age' must hold numbers. Got 'old' \(sample 0\)"),
            ({"s1": 1e9}, r"feature 2, of input 's1', must be between"),
        ],
    )
    def test_what_clients_must_not_encrypt_is_named(self, changes: dict[str, Any], message: str) -> None:
        client = Client(hermetic.compile(on_table(), FRAME, public=WORD).signature)
        with pytest.raises(InputError, match=message):
            client.encrypt(FRAME.iloc[:2].assign(**changes))

    def test_a_sample_that_clients_must_not_send_is_refused(self) -> None:
        wrong = FRAME.assign(sex=["none of these", *FRAME["sex"][1:]])
        with pytest.raises(
            CompileError, match="X_sample must be inputs that clients may encrypt: column 'sex' must be"
        ):
            hermetic.compile(on_table(), wrong, public=WORD)

    def test_texts_that_no_step_takes_may_be_anything(self) -> None:
        estimator = make_pipeline(ColumnTransformer([("a", StandardScaler(), ["bp", "s1"])]), LinearRegression())
        estimator.fit(FRAME, TARGET)
        model = hermetic.compile(estimator, FRAME)
        assert (model.signature.inputs, model.signature.features) == (8, 2)
        client = Client(model.signature)
        result = model.evaluate(client.encrypt(FRAME[:9].assign(remark=None)), client.public_key)
        assert np.abs(client.decrypt(result) - estimator.predict(FRAME[:9])).max() <= model.signature.error

    def test_one_column_read_in_two_ways_is_refused(self) -> None:
        union = ColumnTransformer([("a", OneHotEncoder(), ["group"]), ("b", "passthrough", ["group"])])
        with pytest.raises(CompileError, match="an input must be read as categories by all steps that take it"):
            hermetic.compile(fitted(union, x=FRAME, y=TARGET), FRAME, public=WORD)
        other = OneHotEncoder(categories=[[0, 1, 2, 3]])
        union = ColumnTransformer([("a", OneHotEncoder(), ["group"]), ("b", other, ["group"])])
        with pytest.raises(CompileError, match="every step must read an input as the same categories"):
            hermetic.compile(fitted(union, x=FRAME, y=TARGET), FRAME, public=[*WORD, "a"])

    def test_computed_values_are_not_categories(self) -> None:
        estimator = fitted(FunctionTransformer(np.sign), OneHotEncoder(handle_unknown="ignore"))
        with pytest.raises(CompileError, match="categories must be read from inputs as they come"):
            hermetic.compile(estimator, X, public=WORD)

    @pytest.mark.parametrize("dtype", ["datetime64[ns]", "datetime64[us]", "timedelta64[ns]", "timedelta64[s]"])
    @pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder(), TargetEncoder()], ids=str)
    def test_dates_and_times_are_not_categories(self, encoder: Any, dtype: str) -> None:
        """Of any unit: NumPy makes numbers of some."""
        times = pd.DataFrame({"time": np.array([1, 2] * 90).astype(dtype)})
        estimator = fitted(encoder, x=times, y=np.arange(180.0) % 2)
        with pytest.raises(UnsupportedModelError, match="must be values that a client can name"):
            hermetic.compile(estimator, times, public=[type(encoder).__name__])

    @pytest.mark.parametrize("dtype", ["datetime64[ns]", "datetime64[us]", "timedelta64[ns]", "timedelta64[s]"])
    def test_dates_and_times_are_not_categories_of_trees(self, dtype: str) -> None:
        times = pd.DataFrame({"time": np.array([1, 2] * 90).astype(dtype)}).astype("category")
        trees = HistGradientBoostingRegressor(max_depth=1, categorical_features=[0]).fit(times, np.arange(180.0) % 2)
        with pytest.raises(UnsupportedModelError, match="must be values that a client can name"):
            hermetic.compile(trees, times, public=[type(trees).__name__])


class TestRefusals:
    @pytest.mark.parametrize(
        ("step", "message"),
        [
            (FunctionTransformer(lambda x: x + 1), r"Got func=<lambda> instead: code does not travel in a signature"),
            (FunctionTransformer(np.tanh, kw_args={"dtype": float}), "Got func=tanh with kw_args instead"),
            (
                OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
                "unknown_value that is a number",
            ),
            (QuantileTransformer(n_quantiles=10), "is a QuantileTransformer instead"),
            (KMeans(3, n_init=1), "is a KMeans instead"),
        ],
    )
    def test_what_has_no_public_form(self, step: Any, message: str) -> None:
        with pytest.raises(UnsupportedModelError, match=message):
            hermetic.compile(fitted(step), X, public=["x"])

    def test_bins_of_what_is_not_defined_in_range(self) -> None:
        positive = np.abs(X) + 0.01
        estimator = fitted(FunctionTransformer(np.sqrt), KBinsDiscretizer(3), x=positive)
        with pytest.raises(CompileError, match=r"must be defined for every input in range.*Pass another input_range"):
            hermetic.compile(estimator, positive, public=["kbinsdiscretizer"], input_range=(-1, 5))

    def test_a_logarithm_of_what_may_be_below_zero(self) -> None:
        estimator = fitted(FunctionTransformer(np.log), x=np.abs(X) + 1)
        with pytest.raises(CompileError, match=r"every feature must have a finite range.*pass an input_range"):
            hermetic.compile(estimator, np.abs(X) + 1, input_range=(0, 5))
        hermetic.compile(estimator, np.abs(X) + 1, input_range=(1, 5))
