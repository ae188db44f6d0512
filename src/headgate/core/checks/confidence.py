"""Did the model believe its own words? `confidence`.

It holds the mean log-probability of the answer's tokens, where an engine reports it, against the least that the user set
for this model. It does not know what a good threshold is: that differs from model to model. Tuning moves `pass_at`, which its score is
compared with.
"""

import math

from headgate.core.types import Answer, Verdict

PASS = 0.6
"""The score at the threshold itself, equal to the default `pass_at`."""
_JUST_BELOW = math.nextafter(PASS, 0.0)


def confidence(answer: Answer) -> Verdict:
    """0.6 exactly at the model's threshold, rising to 1.0 at certainty (log-probability 0), falling towards 0.0 below.

    Below the threshold the score halves with every further threshold's worth of doubt, so that it is at least 0.6 if and
    only if the log-probability is at least the threshold. None if either is unknown.
    """
    logprob, least = answer.reply.logprob, answer.model.confidence
    if least is None:
        return Verdict("confidence", None, f"no confidence is set for {answer.model.name}")
    if logprob is None:
        return Verdict("confidence", None, "the engine gives no log-probabilities")
    reason = f"mean log-probability {logprob:.3f}, at least {least:.3f} wanted"
    if math.isnan(logprob):
        return Verdict("confidence", None, "the engine's log-probability is not a number")
    if logprob >= least:
        room = -least
        share = (logprob - least) / room if room > 0 else 1.0
        return Verdict("confidence", PASS + (1.0 - PASS) * min(1.0, share), reason)
    doubt = (least - logprob) / max(-least, 0.05)
    return Verdict("confidence", min(_JUST_BELOW, PASS * 2.0**-doubt), reason)
