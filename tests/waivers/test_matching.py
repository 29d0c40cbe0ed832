from __future__ import annotations

import time
from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from auditor.waivers.matching import Matching

_names = st.tuples(*[st.none() | st.sampled_from(["a", "b", "ab", "*", "a*", "?b", "b?*"])] * 3)
_asked = st.tuples(*[st.sampled_from(["a", "b", "ab", "ba", ""])] * 3)


@given(st.lists(_names, max_size=12), _asked)
def test_what_is_found_is_what_comparing_each_rule_would_find(
    rules: list[tuple[str | None, ...]], asked: tuple[str, ...]
) -> None:
    expected = [
        number
        for number, rule in enumerate(rules)
        if all(name is None or fnmatchcase(each, name) for name, each in zip(rule, asked, strict=True))
    ]
    assert Matching(rules).matching(asked) == expected


def test_brackets_mean_themselves_and_cases_are_told_apart() -> None:
    rules = Matching([("[ab]*",), ("A*",)])
    assert rules.matching(("[ab]c",)) == [0]
    assert rules.matching(("ac",)) == []
    assert rules.matching(("Ac",)) == [1]


def test_a_pattern_reaches_over_a_line_end_and_means_the_whole_name() -> None:
    rules = Matching([("a*z",), ("a",)])
    assert rules.matching(("a\nz",)) == [0]
    assert rules.matching(("a\n",)) == []


def test_no_pattern_takes_long() -> None:
    rules = Matching([("*a" * 30 + "b",)])
    started = time.perf_counter()
    assert rules.matching(("a" * 2_000,)) == []
    assert time.perf_counter() - started < 1


def test_thousands_of_exact_rules_are_not_gone_through_one_by_one() -> None:
    rules = Matching((f"policy-{number % 9}", None, f"arn:{number}") for number in range(20_000))
    started = time.perf_counter()
    for number in range(20_000):
        assert rules.matching((f"policy-{number % 9}", "x", f"arn:{number}")) == [number]
    assert time.perf_counter() - started < 3
