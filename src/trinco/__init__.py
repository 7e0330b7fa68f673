"""Trinco: hosted MTA-STS (RFC 8461) and SMTP TLS reporting (RFC 8460) that you run yourself."""

__version__ = "0.1.0"
