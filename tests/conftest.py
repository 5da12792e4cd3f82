"""Settings that every test shares: how hard Hypothesis searches, here and in CI."""

import os

from hypothesis import settings

# Cryptography has no steady speed, so no example has a deadline.
settings.register_profile("dev", deadline=None, max_examples=50)
# The same examples on every run, and a failing one printed so that it can be replayed elsewhere.
settings.register_profile("ci", deadline=None, max_examples=200, derandomize=True, print_blob=True)

settings.load_profile("ci" if os.environ.get("CI") else "dev")
