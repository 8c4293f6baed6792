"""Homes and passwords from a web service."""
