"""MTA-STS, RFC 8461, a module per concept of the standard."""
