"""What the bodies of queries and results start with, see :class:`hermetic.circuits.query.Batch`."""

from __future__ import annotations

import struct

from ..envelope import OVERHEAD_BYTES

BATCH = struct.Struct("<32s32s32sIIIIB3x")

FIXED_BYTES = OVERHEAD_BYTES + BATCH.size
"""Bytes of a query, or of a result, beside those of its polynomials and words."""
