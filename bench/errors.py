"""The benchmark's one error."""


class BenchError(Exception):
    """A candidate failed, or read something else than what was served: its figures would mean nothing."""
