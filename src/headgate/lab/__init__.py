"""Experiments with what was recorded: old logs judged before the gate is trusted, and the recorded traffic under other settings."""
