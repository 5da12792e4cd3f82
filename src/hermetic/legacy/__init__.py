"""Answers for unmodified clients of encrypted-inference 0.9: CKKS, approximate, **without protection of the weights**.

An answer in this format is what SEAL computes and no more: it is not flooded and not masked, so that its noise tells
about the weights, and whoever asks carefully can learn them. Off unless an operator switches it on.
"""
