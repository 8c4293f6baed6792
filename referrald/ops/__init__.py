"""Listeners, TLS, transports, limits, timers, logs."""
