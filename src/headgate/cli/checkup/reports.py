"""Checks of who is sent reports: each target stands for something, and nothing waits because it failed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headgate.cli.checkup.findings import Finding, failed, listed, passed

if TYPE_CHECKING:
    from headgate.cli.checkup.world import World
    from headgate.ledger.posts import Post


async def check_reports(world: "World") -> list[Finding]:
    """Who is sent reports and alerts; nothing is sent."""
    from headgate.cli.checkup.world import in_thread
    from headgate.ledger.posts import all_posts
    from headgate.posts.starting import read_targets

    config = world.config
    words = tuple(dict.fromkeys((*config.send_to, *config.alerts_to)))
    if not words:
        return []
    troubles: list[str] = []
    names = [target.shown for target in await in_thread(lambda: read_targets(config, words, troubles))]
    posts = await in_thread(lambda: all_posts(config.ledger.path))
    return [
        *(
            failed(
                "reports",
                trouble,
                "a target that takes messages",
                "edit send_to under [report] in headgate.toml",
            )
            for trouble in troubles
        ),
        judge_posts(names, posts),
    ]


def judge_posts(names: Sequence[str], posts: Sequence["Post"]) -> Finding:
    """Whether something waits because it could not be sent."""
    from headgate.reports.shown import count

    waiting = [post for post in posts if post.sent is None and post.error is not None]
    if waiting:
        last = waiting[-1]
        found = f"{last.subject} could not be sent after {count(last.tries, 'try', 'tries')}: {last.error}"
        return failed(
            "reports", found, "a target that takes it", "headgate report --sent  # an open gate tries again"
        )
    return passed("reports", f"sent to {listed(names)}" if names else "sent to nobody")
