"""Adapters to the servers that run models, behind the one small protocol of `base`."""
