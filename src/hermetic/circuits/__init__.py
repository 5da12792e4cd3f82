"""Circuits: how a model is computed on ciphertexts. One folder each."""
