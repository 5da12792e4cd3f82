"""ONNX models whose private part is affine.

    files       a file or a model, checked and put into the form that is read
    graph       its nodes: static, affine, public, or after the scores
    weights     weights on one tensor, read backwards to another
    operators   each affine operator
    public      operators that clients compute
    head        what the model makes of its scores
    answers     the model itself
    reading     all together

Where a model is run, it is by the reference implementation that is part of onnx.
"""

from .answers import OnnxModel
from .operators import HEAD, RULES
from .public import PUBLIC
from .reading import read_onnx

__all__ = ["HEAD", "PUBLIC", "RULES", "OnnxModel", "read_onnx"]
