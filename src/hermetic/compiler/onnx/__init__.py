"""ONNX models whose private part is affine.

files       a file or a model, checked and put into the form that is read
graph       its nodes: static, affine, or after the scores
weights     weights on one tensor, read backwards to another
operators   each affine operator
head        what the model makes of its scores
answers     the model itself
reading     all together
"""

from .answers import OnnxModel
from .reading import column_names, read_onnx

__all__ = ["OnnxModel", "column_names", "read_onnx"]
