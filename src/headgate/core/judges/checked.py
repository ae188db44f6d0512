"""A text as the checks read answers, for judges that ask a check what it thinks of either side."""

from headgate.core.types import Answer, Message, Model, Reply, Request, Signals, Usage

NO_ASK = Request(id="", asked="", messages=(Message("user"),))
_SIGNALS = Signals(task=None, task_confidence=0.0, task_by="none", tokens=0, tokens_exact=False)
_MODEL = Model(name="", engine="", engine_kind="openai", id="", local=False)
_NO_USAGE = Usage()


def as_answer(text: str, request: Request = NO_ASK) -> Answer:
    """The answer that a model would have given with this text."""
    return Answer(request, _SIGNALS, Reply(text=text, usage=_NO_USAGE), _MODEL)
