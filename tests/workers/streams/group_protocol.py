"""What may happen to a group of workers whatever their loop does: the rules that both protocols have."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.workers.streams.kafka_model import Broker, ProcessDiedError, death, passing_fault

WORKERS = 2
CALLS = ["begin", "send", "offsets", "before the commit", "after the commit"]
workers = st.integers(0, WORKERS - 1)


class GroupProtocol(RuleBasedStateMachine):
    """Workers by number, and those that have died and whom the group does not miss yet."""

    def __init__(self, broker: Broker) -> None:
        super().__init__()
        self.broker = broker
        self.workers: dict[int, Any] = {}
        self.dead: list[Any] = []
        self.now = 0.0

    @rule(worker=workers, politely=st.booleans())
    def end_a_worker(self, worker: int, politely: bool) -> None:
        if worker in self.workers:
            ended = self.workers.pop(worker)
            if politely:
                ended.loop.close()
            else:
                self.dead.append(ended)

    @rule(worker=workers, call=st.sampled_from(CALLS), fatal=st.booleans())
    def let_a_commit_fail(self, worker: int, call: str, fatal: bool) -> None:
        if worker in self.workers:
            # A commit that has happened is not reported as failed: then only the process can end.
            is_death = fatal or call == CALLS[-1]
            self.workers[worker].producer.fault = death(call) if is_death else passing_fault(call)

    @precondition(lambda self: self.dead)
    @rule()
    def expire_a_dead_session(self) -> None:
        self.dead.pop().consumer.give_up()

    @rule()
    def rebalance(self) -> None:
        self.broker.rebalance()

    def _run(self, worker: int, part: str) -> None:
        try:
            getattr(self.workers[worker].loop, part)()
        except ProcessDiedError:
            self.dead.append(self.workers.pop(worker))
