"""Tests of hermetic.compiler. A package, so that its test_errors.py and others may have namesakes elsewhere."""
