"""The views: each parses its request, makes one call, and presents."""
