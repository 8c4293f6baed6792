"""Tests. None of them is timed: how long an example takes says more of the machine than of us."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
