"""The budgets of the page: `[[budgets]]`, and `[limits] paid_per_day`, the shorthand for everybody's day."""

from headgate.config.misfit import Misfit
from headgate.config.schema import BudgetTable, FileTable
from headgate.config.values import not_negative
from headgate.core.budgets import SHORTHAND, Budget


def budgets_from(page: FileTable) -> tuple[Budget, ...]:
    """All budgets, the shorthand first.

    Raises:
        Misfit: two have one name, or a name or a sum is none.
    """
    budgets = [budget_from(index, table) for index, table in enumerate(page.budgets)]
    daily = not_negative(("limits", "paid_per_day"), page.limits.paid_per_day)
    if daily is not None:
        budgets.insert(0, Budget(name=SHORTHAND, per="day", dollars=daily))
    shift = len(budgets) - len(page.budgets)
    names = [budget.name for budget in budgets]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise Misfit(
                ("budgets", index - shift, "name"),
                f'two budgets are called "{name}"',
                f"[limits] paid_per_day is the budget {SHORTHAND}; give this one another name"
                if shift and name == SHORTHAND
                else "alerts and the ledger tell budgets by their names",
            )
    return tuple(budgets)


def budget_from(index: int, table: BudgetTable) -> Budget:
    """One of them."""
    place = ("budgets", index)
    for field in ("name", "key", "team"):
        word = getattr(table, field)
        if not word.isprintable() or word != word.strip() or (field == "name" and not word):
            raise Misfit(
                (*place, field),
                f'"{word}" cannot name a {"budget" if field == "name" else field}',
                "one line of text",
            )
    not_negative((*place, "dollars"), table.dollars)
    return Budget(
        name=table.name,
        per=table.per,
        dollars=table.dollars,
        key=table.key,
        team=table.team,
        task=table.task,
        when_spent=table.when_spent,
    )
