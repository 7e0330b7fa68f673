"""MEANING: the values and functions of RFC 8461, RFC 8460 and of hosting. No I/O, clock, randomness or framework."""
