"""Is the model sure enough of its label? `sure-label`.

It holds the probability of the label that the answer names, as far as the engine tells it, against the least that the subagent is
content with. It does not know whether the label is right; that is what calibration is for (`core.calibration`).
"""

from headgate.core.types import Answer, Verdict

LEAST, MOST = 0.31, 0.45
"""Scores of an unsure label: above those of an answer without the asked form (`asked-format`), which can never be delivered, and
below every sensible `pass_at`."""


def sure_label(answer: Answer) -> Verdict:
    """1.0 if the label's probability reaches the threshold; 0.31–0.45 below it; None if either is unknown."""
    least, label = answer.request.threshold, answer.reply.label
    if least is None:
        return Verdict("sure-label", None, "the subagent has no threshold")
    sure = answer.reply.probabilities.get(label)
    if sure is None:
        return Verdict("sure-label", None, "the engine does not tell how probable its label is")
    if sure >= least:
        return Verdict("sure-label", 1.0, f"“{label}” at {sure:.2f}, at least {least:.2f} wanted")
    return Verdict(
        "sure-label",
        LEAST + (MOST - LEAST) * sure / least,
        f"“{label}” at only {sure:.2f}, {least:.2f} wanted",
    )
