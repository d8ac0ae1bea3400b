"""The two Kafka loops with their result cache and live view."""
