"""Django's PostgreSQL, with what `wall` says in front of each statement."""
