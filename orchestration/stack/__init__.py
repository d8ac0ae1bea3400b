"""The local stack: Kafka, Valkey and Ray started, described and ended by one run directory."""

from orchestration.stack.stack import Stack
from orchestration.stack.status import PartStatus

__all__ = ["PartStatus", "Stack"]
