"""Is an answer from passages shown by the passages that it cites? `cited`.

It reads the passages out of the question, in the form that `citing.show` gives them. What it sees and what not stands in `grounds`.
"""

from headgate.core.checks.grounds import speaks_of, verify
from headgate.core.checks.material import last_ask, said
from headgate.core.citing import is_not_found, question_in, shown_in
from headgate.core.types import Answer, Verdict

PART = 0.5
"""The most that an answer gets of which a part does not hold."""


def cited(answer: Answer) -> Verdict:
    """1.0 if every sentence is shown by what it cites, or the answer says that it is not in the documents; at most 0.5 else.

    Of an answer that holds in part, the score grows with that part, so that of several such answers the best is delivered. None
    where no passages were asked about.
    """
    passages = shown_in(last_ask(answer))
    if not passages:
        return Verdict("cited", None, "there are no passages to hold it against")
    text = said(answer.reply.text)
    if is_not_found(text):
        return Verdict("cited", 1.0, "it says that it is not in the documents")
    findings = verify(text, passages)
    question = question_in(last_ask(answer))
    wrong = [finding for finding in findings if finding.problem]
    if not findings:
        return Verdict("cited", 0.0, "it states nothing")
    if not speaks_of(question, findings, passages) and len(wrong) < len(findings):
        return Verdict("cited", 0.0, "its passages show it, but it has nothing to do with the question")
    if not wrong:
        return Verdict("cited", 1.0, f"its passages show all of it, {len(findings)} sentences")
    share = 1.0 - len(wrong) / len(findings)
    opening = wrong[0].claim.text[:60]
    reason = f"{len(wrong)} of {len(findings)} sentences are not shown: {wrong[0].problem} ({opening})"
    return Verdict("cited", round(PART * share, 3), reason)
