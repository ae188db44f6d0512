"""What holds for every test."""

import signal

from hypothesis import settings

# Speed is measured in benchmarks/; here a busy machine must not fail a test.
settings.register_profile("headgate", deadline=None)
settings.load_profile("headgate")

# Started in the background, a shell lets its children ignore Ctrl-C, and they theirs; tests that press it need it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
