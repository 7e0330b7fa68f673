"""SMTP TLS reporting, RFC 8460, a module per concept of the standard."""
