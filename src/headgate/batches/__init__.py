"""Many inputs for one subagent: durable, resumable, within a budget, and out of the way of people."""
