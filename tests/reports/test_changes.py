"""What a week's figures say should be changed: where there is evidence, and nowhere else."""

from msgspec.structs import replace
from report_samples import (
    CLAUDE,
    CODER,
    KNOWN_COSTS,
    LLAMA,
    NOT_AUDITED,
    PHI,
    POLICY,
    USERS_OWN_WEEK,
    USERS_WEEK,
    audits_of,
    tried,
)

from headgate.reports.facts import FallbackFacts, TaskFacts, TriedFacts, WeeklyFacts
from headgate.reports.weekly import weekly

QUIET = replace(
    USERS_WEEK, tasks=(), fallbacks=(FallbackFacts("sent by its route", None, 4_105),), **NOT_AUDITED
)


def proposed(facts, policy=POLICY):
    return weekly(USERS_OWN_WEEK, facts, policy=policy).changes


def only(facts, policy=POLICY):
    (change,) = proposed(facts, policy)
    return change


def failing(*models, task="code"):
    tried_, failed = sum(m.attempts for m in models), sum(m.failed for m in models)
    return replace(
        QUIET,
        tasks=(
            TaskFacts(task=task, requests=tried_, tried_locally=tried_, failed_locally=failed, models=models),
        ),
    )


def test_a_week_in_which_nothing_stands_out_has_nothing_to_change():
    assert proposed(QUIET) == ()
    assert proposed(WeeklyFacts(since=0.0, until=1.0)) == ()


def test_a_task_that_fails_at_home_goes_first_to_the_model_that_surely_fails_less():
    change = only(failing(TriedFacts(CODER, 2_000, 400), TriedFacts(LLAMA, 500, 10)))
    assert change.do == f"Let {LLAMA} answer code first"
    assert f"{CODER} 400 of 2,000 (20.0%), {LLAMA} 10 of 500 (2.0%)" in change.because
    assert change.edit == '[[routes]] name = "code": try = ["llama", "coder", "claude"]'


def test_a_model_that_did_better_by_luck_alone_is_not_put_first():
    change = only(failing(TriedFacts(CODER, 2_000, 400), TriedFacts(LLAMA, 6, 1)))
    assert change.do == "Try another model at home for code"
    assert change.edit.startswith("headgate models bench NAME")
    assert change.edit.endswith('[[routes]] name = "code": try = ["NAME", "coder", "claude"]')


def test_a_task_is_sent_away_only_when_more_than_half_of_its_answers_at_home_surely_fail():
    change = only(failing(TriedFacts(CODER, 2_000, 1_400)))
    assert change.do == "Send code to a paid model first"
    assert change.edit == '[[routes]] name = "code": try = ["claude"]'
    assert only(failing(TriedFacts(CODER, 40, 21))).do == "Try another model at home for code"


def test_a_task_that_shares_its_route_gets_one_of_its_own():
    change = only(failing(TriedFacts(PHI, 1_000, 300), task="sentiment"))
    assert change.edit.startswith(
        'headgate models bench NAME tries one; then [[routes]] above "labels": name = "sentiment", '
        'tasks = ["sentiment"], try = ["NAME", '
    )


def test_a_token_limit_that_sends_most_away_names_the_window_that_would_hold_them():
    facts = replace(
        QUIET,
        fallbacks=(FallbackFacts("token count", 4000, 3_000, 210.0),),
        too_long={8192: 2_900, 65536: 100},
    )
    change = only(facts)
    assert (
        "3,000 requests (100.0% of fallbacks, $210.00) went to a paid model for more than 4,000 tokens"
        in change.because
    )
    assert "2,900 of them fit into 8,192" in change.because
    assert (
        change.edit == '[[routes]] name = "long": try = ["phi", "claude"]'
    )  # its first lane has 8,192 tokens


def test_where_no_window_at_home_is_so_long_a_longer_lane_is_proposed_with_the_command_that_plans_it():
    facts = replace(QUIET, fallbacks=(FallbackFacts("token count", 4000, 3_000),), too_long={131072: 3_000})
    assert "headgate models plan phi --context 131072" in only(facts).edit


def test_a_token_limit_that_sends_few_away_is_left_alone():
    few = (FallbackFacts("sent by its route", None, 900), FallbackFacts("token count", 4000, 100))
    assert proposed(replace(QUIET, fallbacks=few)) == ()


def test_a_reason_with_fewer_than_thirty_requests_is_left_alone():
    assert proposed(replace(QUIET, fallbacks=(FallbackFacts("engine busy", None, 29),))) == ()
    assert "queue_for" in only(replace(QUIET, fallbacks=(FallbackFacts("engine busy", None, 30),))).edit


def test_formats_and_engines_that_do_not_answer_have_their_own_advice():
    format_ = only(replace(QUIET, fallbacks=(FallbackFacts("unsupported output format", None, 328),)))
    assert 'capabilities = ["json", "schema", "tools"]' in format_.edit
    down = replace(
        QUIET,
        fallbacks=(FallbackFacts("engine unavailable", None, 40),),
        attempts=(tried(CODER, 50, 0, failures={"refused": 12}),),
    )
    assert only(down).edit.startswith("headgate doctor")
    assert f"{CODER} failed 12 calls" in only(down).because


def test_a_model_without_a_price_is_named_with_its_line():
    change = only(replace(QUIET, attempts=(replace(tried(CLAUDE, 70, 0, local=False), cost_unknown=70),)))
    assert change.edit == "[models.claude] price = { input = ..., output = ... }"


def test_a_check_is_relaxed_only_when_audits_surely_found_what_it_rejects_to_be_good():
    rejected = replace(QUIET, fallbacks=(FallbackFacts("quality check failed", None, 4_105),))

    def with_audits(found, necessary, cause="json"):
        return replace(rejected, **audits_of(found, necessary, cause=cause))

    change = only(with_audits(30, 170))
    assert "pass_at" in change.edit
    assert change.because.startswith("The check json sent about 4,105 requests away; 4")
    assert proposed(with_audits(3, 20)) == ()
    assert proposed(with_audits(8, 192)) == ()
    assert proposed(with_audits(30, 170, cause="unsupported output format")) == ()
    assert proposed(rejected) == ()


def test_when_the_cheap_cloud_would_have_been_cheaper_it_is_the_first_thing_to_look_at():
    change = proposed(KNOWN_COSTS)[0]
    assert change.do.startswith(f"Ask gemini-2.5-flash-lite (API) before {CLAUDE}")
    assert "$204.34 less" in change.because
    assert change.edit == 'a [models.NAME] for it, then try = [..., "NAME", "claude"]'


def test_where_energy_alone_costs_more_than_the_cheap_cloud_home_itself_is_to_be_compared():
    money = replace(KNOWN_COSTS.money, cost=0.0, alternative=2.0)
    change = only(replace(KNOWN_COSTS, tasks=(), fallbacks=(), **NOT_AUDITED, cost=0.0, money=money))
    assert change.do == "Compare home with gemini-2.5-flash-lite (API): it would have been cheaper"
    assert "energy and hardware cost more" in change.because


def test_three_requests_are_no_reason_to_compare_clouds():
    few = replace(
        QUIET, alternatives={"gemini-2.5-flash-lite (API)": 3}, money=replace(KNOWN_COSTS.money, requests=3)
    )
    assert proposed(few) == ()


def test_a_comparison_with_requests_that_cannot_leave_home_proposes_nothing():
    money = replace(KNOWN_COSTS.money, alternative_unknown=9_000)
    assert not any("gemini" in change.do for change in proposed(replace(KNOWN_COSTS, money=money)))


def test_the_list_is_short_and_begins_with_what_concerns_most_requests():
    facts = replace(KNOWN_COSTS, **audits_of(328, 3_777, probability=None))
    sizes = [change.requests for change in proposed(facts)]
    assert len(sizes) == 5
    assert sizes == sorted(sizes, reverse=True)


def test_without_the_users_page_the_lines_are_told_in_general():
    assert "[[routes]]" in only(failing(TriedFacts(CODER, 2_000, 400)), policy=None).edit
