"""The exam: small questions with one right answer, or with answers that can be told right from wrong without a judge.

    exam = parse_exam(text)                  the questions, from the file that ships with us
    request = item.request                   one question as a `Request`
    verdict = grade(item, reply, model)      1.0 right, 0.0 wrong, and why
    marks = tally([(item, right), …])        right of asked, for a capability card

It knows questions and answers. It does not know engines, time or files, and it runs no code that a model wrote.
"""

from headgate.core.exam.grading import grade
from headgate.core.exam.items import Exam, Item, Marks, parse_exam, tally

__all__ = ["Exam", "Item", "Marks", "grade", "parse_exam", "tally"]
