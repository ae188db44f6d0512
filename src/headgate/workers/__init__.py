"""Subagents at work: an input is given to one, and what comes of it is a `Run` (`core.runs`)."""
