"""What a run tells an OpenTelemetry collector: a trace of it, and its numbers. Where to is the environment's to say.

Nothing rests on it: what a collector does not take is lost, and said once.
"""

from auditor.telemetry.environment import check_environment, secrets_of
from auditor.telemetry.telling import Telemetry, now, open_telemetry

__all__ = ["Telemetry", "check_environment", "now", "open_telemetry", "secrets_of"]
