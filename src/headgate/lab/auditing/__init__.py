"""Audits made while nobody is there: the worker of the open gate, and what it asks of models and of judges."""
