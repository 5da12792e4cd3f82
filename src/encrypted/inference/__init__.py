"""The names that the 2020 guide imports: a client and a server of linear models, with Hermetic underneath."""
