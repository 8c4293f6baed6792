"""Homes in a database: what SQLite and PostgreSQL have in common, and each of the two."""
