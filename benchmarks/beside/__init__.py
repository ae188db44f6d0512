"""What it costs to put a gateway in front of an engine: the gates, the load, and the tables."""
