from __future__ import annotations

import pytest

from transcoder.calls import End
from transcoder.config.model import BreakerConfig
from transcoder.errors import SERVICE_UNAVAILABLE, Code, TranscodeError
from transcoder.resilience.breaker import FAIR_TIMEOUT, Breaker, State


class Subject:
    """A breaker whose time stands still until it is moved."""

    def __init__(self, failures: int = 3, window: float = 10.0, open_for: float = 30.0) -> None:
        self.now = 100.0
        self.states: list[State] = []
        config = BreakerConfig.model_construct(failures=failures, window=window, open_for=open_for)
        self.refused = 0
        self.breaker = Breaker(config, lambda: self.now, self.states.append, self._refuse)

    def _refuse(self) -> None:
        self.refused += 1

    def begin(self, timeout: float | None = 30.0) -> End:
        metadata, end = self.breaker.calls("/s/m")([("a", "b")], timeout)
        assert metadata == [("a", "b")]
        return end

    def call(self, code: Code, timeout: float | None = 30.0) -> None:
        self.begin(timeout)(code)

    def refusal(self) -> TranscodeError:
        with pytest.raises(TranscodeError) as caught:
            self.begin()
        return caught.value


def opened() -> Subject:
    subject = Subject()
    for _ in range(3):
        subject.call(Code.UNAVAILABLE)
    return subject


def test_it_opens_at_the_last_failure_within_the_window_and_refuses_at_once() -> None:
    subject = Subject()
    subject.call(Code.UNAVAILABLE)
    subject.call(Code.UNAVAILABLE)
    assert subject.breaker.state == "closed"
    subject.call(Code.UNAVAILABLE)
    assert subject.breaker.state == "open"
    error = subject.refusal()
    assert error.kind is SERVICE_UNAVAILABLE
    assert dict(error.headers) == {"retry-after": "30"}
    assert subject.states == ["open"]
    assert subject.refused == 1


def test_failures_are_told_as_long_as_they_count() -> None:
    subject = Subject(failures=3, window=10.0)
    for expected in (1, 2):
        subject.call(Code.UNAVAILABLE)
        assert subject.breaker.recent_failures == expected
        subject.now += 6
    assert subject.breaker.recent_failures == 1
    subject.now += 6
    assert subject.breaker.recent_failures == 0
    assert opened().breaker.recent_failures == 3


def test_failures_that_lie_too_far_apart_do_not_add_up() -> None:
    subject = Subject()
    for _ in range(10):
        subject.call(Code.UNAVAILABLE)
        subject.now += 5.1
    assert subject.breaker.state == "closed"


@pytest.mark.parametrize(("answers", "state"), [(1, "open"), (2, "closed")])
def test_a_backend_that_answers_more_often_than_it_fails_is_called(answers: int, state: State) -> None:
    subject = Subject()
    for code in [*[Code.UNAVAILABLE, *[Code.NOT_FOUND] * answers] * 2, Code.UNAVAILABLE]:
        subject.call(code)
    assert subject.breaker.state == state


def test_calls_that_fail_at_once_are_one_event() -> None:
    """Those of one address, when its connection breaks; the next one may be answered by another."""
    subject = Subject()
    for end in [subject.begin() for _ in range(50)]:
        end(Code.UNAVAILABLE)
    assert subject.breaker.state == "closed"
    subject.call(Code.UNAVAILABLE)
    assert subject.breaker.state == "open"


def test_calls_that_miss_their_deadlines_one_after_the_other_are_not() -> None:
    subject = Subject()
    for end in [subject.begin() for _ in range(3)]:
        end(Code.DEADLINE_EXCEEDED)
    assert subject.breaker.state == "open"


def test_a_backend_that_answers_while_some_calls_miss_their_deadlines_is_called() -> None:
    """One of its addresses is frozen, or one of its methods."""
    subject = Subject()
    late = [subject.begin() for _ in range(3)]
    for _ in range(3):
        subject.call(Code.OK)
    for end in late:
        end(Code.DEADLINE_EXCEEDED)
    assert subject.breaker.state == "closed"


def test_the_only_failure_that_is_allowed_opens_it() -> None:
    subject = Subject(failures=1)
    subject.call(Code.UNAVAILABLE)
    assert subject.breaker.state == "open"


def test_answers_of_better_times_do_not_count() -> None:
    subject = Subject()
    for _ in range(1000):
        subject.call(Code.OK)
    for _ in range(3):
        subject.call(Code.UNAVAILABLE)
    assert subject.breaker.state == "open"


@pytest.mark.parametrize("code", set(Code) - {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED})
def test_other_answers_of_a_backend_are_no_failures(code: Code) -> None:
    subject = Subject()
    for _ in range(10):
        subject.call(code)
    assert subject.breaker.state == "closed"


@pytest.mark.parametrize("timeout", [None, FAIR_TIMEOUT, 30.0])
def test_missed_deadlines_are_failures(timeout: float | None) -> None:
    subject = Subject()
    for _ in range(3):
        subject.call(Code.DEADLINE_EXCEEDED, timeout)
    assert subject.breaker.state == "open"


def test_a_deadline_too_short_to_be_fair_is_none() -> None:
    subject = Subject()
    for _ in range(10):
        subject.call(Code.DEADLINE_EXCEEDED, FAIR_TIMEOUT / 2)
    assert subject.breaker.state == "closed"


def test_one_call_is_tried_and_closes_it_when_the_backend_answers() -> None:
    subject = opened()
    subject.now += 30
    end = subject.begin()
    assert subject.breaker.state == "half-open"
    assert subject.refusal().kind is SERVICE_UNAVAILABLE
    end(Code.NOT_FOUND)
    assert subject.breaker.state == "closed"
    subject.call(Code.OK)
    assert subject.states == ["open", "half-open", "closed"]


def test_a_trial_that_fails_opens_it_for_as_long_again() -> None:
    subject = opened()
    subject.now += 30
    subject.call(Code.UNAVAILABLE)
    assert subject.breaker.state == "open"
    subject.now += 29.5
    assert dict(subject.refusal().headers) == {"retry-after": "1"}
    subject.now += 0.5
    subject.call(Code.OK)
    assert subject.breaker.state == "closed"


@pytest.mark.parametrize("code", [Code.CANCELLED, Code.DEADLINE_EXCEEDED])
def test_a_trial_that_tells_nothing_makes_room_for_the_next(code: Code) -> None:
    subject = opened()
    subject.now += 30
    subject.call(code, FAIR_TIMEOUT / 2)
    assert subject.breaker.state == "half-open"
    subject.call(Code.OK)
    assert subject.breaker.state == "closed"


def test_a_trial_that_never_ends_does_not_keep_it_half_open() -> None:
    subject = opened()
    subject.now += 30
    subject.begin()
    subject.now += 30
    subject.call(Code.OK)
    assert subject.breaker.state == "closed"


def test_old_failures_are_forgotten_once_it_is_closed_again() -> None:
    subject = opened()
    subject.breaker.reset()
    assert subject.breaker.state == "closed"
    subject.call(Code.UNAVAILABLE)
    subject.call(Code.UNAVAILABLE)
    assert subject.breaker.state == "closed"


def test_calls_begun_before_it_opened_do_not_close_it() -> None:
    subject = Subject()
    early = subject.begin()
    for _ in range(3):
        subject.call(Code.UNAVAILABLE)
    early(Code.OK)
    assert subject.breaker.state == "open"
