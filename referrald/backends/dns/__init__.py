"""Homes from DNS: SRV records of domains, and signed records of single users."""
