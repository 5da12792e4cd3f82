"""Rings, their parameters, and exact arithmetic on their polynomials."""
