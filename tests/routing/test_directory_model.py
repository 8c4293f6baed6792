"""Whatever happens in whatever order, the directory does as a much simpler one would."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from referrald.errors import Unavailable
from referrald.model import Home
from tests.proves import proves
from tests.routing.support import Answers, Slow, Table, home, login, start

FOUND, MISSING, STALE, DEADLINE = 10.0, 4.0, 20.0, 2.0
TIMES = {"found": FOUND, "missing": MISSING, "stale": STALE, "deadline": DEADLINE}
USERS = st.sampled_from(["alice", "bob"])
HOMES = st.sampled_from([None, home("a.example"), home("b.example"), home("c.example", ttl=3.0)])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("login"), USERS),
        st.tuples(st.just("move"), USERS, HOMES),
        st.tuples(st.just("wait"), st.integers(1, 15)),
        st.tuples(st.just("break")),
        st.tuples(st.just("mend")),
        st.tuples(st.just("forget"), USERS | st.none()),
    ),
    max_size=40,
)


class Model:
    """What is kept of a user: the home, until when, and whether it still holds."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[Home | None, float, bool]] = {}

    def fresh(self, user: str, now: float) -> bool:
        return user in self.kept and now < self.kept[user][1] and self.kept[user][2]

    def usable(self, user: str, now: float) -> bool:
        if user not in self.kept or self.kept[user][0] is None:
            return False
        return now < self.kept[user][1] + STALE

    def learn(self, user: str, home: Home | None, now: float) -> None:
        keep = MISSING if home is None else FOUND if home.ttl is None else home.ttl
        self.kept[user] = (home, now + keep, True)

    def forget(self, user: str | None) -> None:
        if user is not None:
            self.kept.pop(user, None)
            return
        self.kept = {name: (home, until, False) for name, (home, until, _) in self.kept.items()}


class ModelTests(SynchronousTestCase):
    @proves("S1")
    @given(STEPS)
    def test_an_answer_is_the_present_one_or_one_that_may_still_be_used(
        self, steps: list[tuple[Any, ...]]
    ) -> None:
        table = Table()
        directory = Answers(table, **TIMES)
        model = Model()
        for kind, *rest in steps:
            if kind == "login":
                self.check(directory, table, model, rest[0])
            elif kind == "move":
                table.homes[rest[0]] = rest[1]
            elif kind == "wait":
                directory.clock.advance(rest[0])
            elif kind == "forget":
                directory.forget(rest[0])
                model.forget(rest[0])
            else:
                table.fault = ValueError() if kind == "break" else None

    def check(self, directory: Answers, table: Table, model: Model, user: str) -> None:
        now = directory.clock.seconds()
        was_down = bool(directory.down())
        asked = len(table.asked)
        outcome = self.outcome(directory, user)
        allowed = []
        if model.fresh(user, now):
            allowed.append(model.kept[user][0])
            self.assertEqual(len(table.asked), asked)
        else:
            if table.fault is None:
                allowed.append(table.homes.get(user))
            if model.usable(user, now) and (table.fault is not None or was_down):
                allowed.append(model.kept[user][0])
            if not allowed:
                allowed.append(Unavailable)
        self.assertIn(outcome, [self.named(each) for each in allowed])
        if len(table.asked) > asked and table.fault is None:
            model.learn(user, table.homes.get(user), now)

    def outcome(self, directory: Answers, user: str) -> Any:
        answer = start(directory.home(login(user)))
        found: list[Any] = []
        answer.addCallbacks(found.append, lambda failure: found.append(failure.type))
        return self.named(found[0])

    def named(self, outcome: Any) -> Any:
        return outcome.servers[0].host if isinstance(outcome, Home) else outcome

    @proves("S1")
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("login"), USERS),
                st.tuples(st.just("wait"), st.sampled_from([0.5, 1.0, 2.0, 11.0])),
                st.tuples(st.just("answer"), st.integers(0, 5), HOMES),
                st.tuples(st.just("fail"), st.integers(0, 5)),
                st.tuples(st.just("forget"), USERS | st.none()),
                st.tuples(st.just("cancel"), st.integers(0, 5)),
            ),
            max_size=40,
        )
    )
    def test_every_login_is_answered_within_the_deadline(
        self, steps: list[tuple[Any, ...]]
    ) -> None:
        slow = Slow()
        directory = Answers(slow, **TIMES)
        waiting: list[tuple[float, Any]] = []
        for kind, *rest in steps:
            if kind == "login":
                answer = start(directory.home(login(rest[0])))
                answer.addErrback(lambda _: None)
                waiting.append((directory.clock.seconds(), answer))
            elif kind == "wait":
                directory.clock.advance(rest[0])
            elif kind == "forget":
                directory.forget(rest[0])
            elif kind == "cancel":
                for _, answer in waiting[rest[0] : rest[0] + 1]:
                    answer.cancel()
            else:
                for work in [work for work in slow.asked if not work.called][rest[0] :][:1]:
                    work.callback(rest[1]) if kind == "answer" else work.errback(ValueError())
            now = directory.clock.seconds()
            for since, answer in waiting:
                self.assertTrue(answer.called or now < since + DEADLINE)
        directory.clock.advance(DEADLINE)
        self.assertEqual(directory.clock.getDelayedCalls(), [])
        start(directory.stop())
        self.assertTrue(all(work.called for work in slow.asked))
