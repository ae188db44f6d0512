"""What holds for every test."""

from hypothesis import settings

# Speed is measured in benchmarks/; here a busy machine must not fail a test.
settings.register_profile("headgate", deadline=None)
settings.load_profile("headgate")
