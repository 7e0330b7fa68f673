"""PEOPLE AND TABLES: the Django project, one app per word of the domain."""
