"""Who gets which report, and when: what is due, what was sent, what has to be tried again."""
