"""Whether encrypted-inference 0.9 is here too. Its folders ``eiclient`` and ``eiserver`` would go before the modules of
the same names in this one, and answer without any protection of the coefficients; nothing else would look different.

It has no ``__init__.py`` in this folder, so whichever of the two was installed first, this package's is what runs.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_HERE = Path(__file__).parent


def check_alone() -> None:
    """Raise :class:`ImportError` if the environment has encrypted-inference, here or anywhere on the path."""
    other = _installed() or _left_behind()
    if other:
        raise ImportError(
            f"encrypted.inference must be that of one distribution. Here are two, {other} and hermetic-encrypted-"
            "inference, and the former answers without protecting the coefficients. Uninstall the one that you do not "
            "mean: pip uninstall encrypted-inference, or pip uninstall hermetic-encrypted-inference."
        )


def _installed() -> str | None:
    try:
        return f"encrypted-inference {version('encrypted-inference')}"
    except PackageNotFoundError:
        return None


def _left_behind() -> str | None:
    """Folders that would be imported instead of this package's modules, whoever put them there."""
    folders = [path.stem for path in sorted(_HERE.glob("*.py")) if path.with_suffix("").is_dir()]
    return f"one with the folders {', '.join(folders)} in {_HERE}" if folders else None
