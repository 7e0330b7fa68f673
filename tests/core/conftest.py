"""Property tests have no deadline of their own: the machine may be shared, and what is slow has a test that says so."""

from hypothesis import settings

settings.register_profile("no-deadline", settings.default, deadline=None)
settings.load_profile("no-deadline")
