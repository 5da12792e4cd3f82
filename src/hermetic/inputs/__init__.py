"""What a client starts from."""
