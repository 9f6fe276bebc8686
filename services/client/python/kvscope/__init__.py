"""KVScope's Python side."""
