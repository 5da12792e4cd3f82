"""Peer libraries that the benchmarks compare with, each in an environment of its own."""
