"""The checks of `headgate doctor`: `findings` are their values, `kinds` their list, `world` the looks they share, `rounds` runs them.

All others are the checks themselves: what is looked at and what is judged are apart, and whatever is judged is pure.
"""
