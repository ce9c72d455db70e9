"""The checks read a broker that has just come back."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from operate.demo.records import _ends


class Broker:
    """Its answers for one partition, in turn; the client's part that `_ends` asks."""

    def __init__(self, *answers: KafkaError | tuple[int, int]) -> None:
        self.answers = [*answers]

    def list_topics(self, timeout: float) -> Any:
        partition = type("Topic", (), {"partitions": {0: None}})()
        return type("Cluster", (), {"topics": {"intake": partition}})()

    def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> tuple[int, int]:
        answer = self.answers.pop(0)
        if isinstance(answer, KafkaError):
            raise KafkaException(answer)
        return answer


def ends_of(*answers: KafkaError | tuple[int, int]) -> dict[tuple[str, int], tuple[int, int]]:
    broker: Any = Broker(*answers)
    return _ends(broker, ["intake"])


def test_a_partition_without_a_leader_is_asked_again() -> None:
    away = KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION)
    gone = KafkaError(KafkaError._TRANSPORT)

    assert ends_of(away, gone, (3, 9)) == {("intake", 0): (3, 9)}


def test_what_does_not_pass_is_said_at_once() -> None:
    with pytest.raises(KafkaException, match="TOPIC_AUTHORIZATION_FAILED"):
        ends_of(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), (3, 9))
