"""Agency months with known truth, on which the whole loop runs: whether its estimates, proposals and changes are right."""
