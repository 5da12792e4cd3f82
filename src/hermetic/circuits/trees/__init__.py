"""The tree circuit: sums of private decision trees on encrypted x, by path costs."""
