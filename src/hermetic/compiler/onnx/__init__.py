"""ONNX models whose private part is affine, or trees.

    files       a file or a model, checked and put into the form that is read
    graph       its nodes: static, affine, public, or after the scores
    weights     weights on one tensor, read backwards to another
    operators   each affine operator
    public      operators that clients compute
    head        what the model makes of its scores
    answers     the model itself
    reading     all together

    tree_nodes      the operators that are trees, and what they compute
    tree_attributes their attributes, checked
    tree_edges      where their comparisons change, in terms of the inputs
    tree_answers    what they make of their sums
    tree_reading    models of trees: what is before, the trees, and the rest as above

Where a model is run, it is by the reference implementation that is part of onnx; trees are walked here.
"""

from .answers import OnnxModel
from .operators import HEAD, RULES, TREES
from .public import PUBLIC
from .reading import read_onnx

__all__ = ["HEAD", "PUBLIC", "RULES", "TREES", "OnnxModel", "read_onnx"]
