"""Homes and passwords from a directory (LDAP)."""
