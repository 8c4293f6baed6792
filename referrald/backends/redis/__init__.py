"""Homes in Redis or Valkey: a hash for each user, or the values of Dovecot's dict driver."""
