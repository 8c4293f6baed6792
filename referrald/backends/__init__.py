"""Where users live: one module for each kind of source."""
