"""The secret key of a client, and its public key."""
