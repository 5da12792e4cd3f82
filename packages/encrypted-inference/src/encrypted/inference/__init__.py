"""The names that the 2020 guide imports: a client and a server of linear models, with Hermetic underneath."""

from .alone import check_alone

check_alone()
