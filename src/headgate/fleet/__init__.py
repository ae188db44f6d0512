"""Everything about machines: which engines are up, which are left alone for a while, and who waits for whom."""
