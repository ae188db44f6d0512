"""Did the model believe its own words? `confidence`.

It holds the mean log-probability of the answer's tokens, where an engine reports it, against the least that the user set
for this model and this task. It does not know what a good threshold is: that differs from model to model, and tuning finds it.
"""

import math

from headgate.core.types import Answer, Verdict

PASS = 0.6
"""The score at the threshold itself, equal to the default `pass_at`."""
_JUST_BELOW = math.nextafter(PASS, 0.0)


CONFIDENCE = "confidence"
"""The name of this check."""


def confidence(answer: Answer) -> Verdict:
    """What `believed` says of the answer's log-probability; None if that or the threshold is unknown."""
    logprob, least = answer.reply.logprob, answer.model.least_confidence(answer.signals.task)
    if least is None:
        return Verdict(CONFIDENCE, None, f"no confidence is set for {answer.model.name}")
    if logprob is None:
        return Verdict(CONFIDENCE, None, "the engine gives no log-probabilities")
    reason = f"mean log-probability {logprob:.3f}, at least {least:.3f} wanted"
    if math.isnan(logprob):
        return Verdict(CONFIDENCE, None, "the engine's log-probability is not a number")
    return Verdict(CONFIDENCE, believed(logprob, least), reason)


def believed(logprob: float, least: float) -> float:
    """0.6 exactly at the threshold, rising to 1.0 at certainty (log-probability 0), falling towards 0.0 below.

    Below the threshold the score halves with every further threshold's worth of doubt, so that it is at least 0.6 if and
    only if the log-probability is at least the threshold.
    """
    if logprob >= least:
        share = (logprob - least) / -least if least < 0 else 1.0
        return PASS + (1.0 - PASS) * min(1.0, share)
    doubt = (least - logprob) / unit_of_doubt(least)
    return min(_JUST_BELOW, PASS * math.pow(2.0, -doubt))


def logprob_for(score: float, least: float) -> float:
    """The log-probability at which `believed` reaches a score, but for the last digits of a float."""
    if score >= PASS:
        return least - least * (score - PASS) / (1.0 - PASS)
    return least - unit_of_doubt(least) * math.log2(PASS / score) if score > 0 else -math.inf


def unit_of_doubt(least: float) -> float:
    """How much less likely than the threshold an answer is that is believed half as much."""
    return max(-least, 0.05)
