"""Headgate: easy prompts at home, hard ones in the cloud, and a report that proves it."""

__version__ = "0.1.0"
