"""The linear circuit: W·x + b on encrypted x."""
