"""Networks with private weights: ciphertexts are multiplied, with keys that the client makes for it."""
