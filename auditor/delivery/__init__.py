"""Events on their way from the outbox to those who are to be told; one kind of destination a module.

::

    destinations = make_destinations(config.destinations, allow_http=False)   # before the run: nothing is sent yet
    ...
    gaps = gap_events(run_id, observed_at, ledger.lines_of_gaps())
    run.finish(record, ledger.lines(), [*gaps, run_event(record)])            # each with what it tells of
    reports = await deliver(history, destinations, DeadLetters(folder))       # auditor.audit.delivering

An event leaves the outbox when its receiver has taken it, or has refused it for good and that is written down. What is
told may come twice, and never not at all: receivers drop the second copy by its `event_id`.
"""

from auditor.delivery.catalogue import destination_settings, kinds, make_destinations
from auditor.delivery.contract import Destination, Later, Limits, Receipt, Refused, Taken, Undeliverable
from auditor.delivery.dead_letters import DeadLetters
from auditor.delivery.events import GAP, RUN, gap_events, run_event
from auditor.delivery.sending import Delivery, Report
from auditor.delivery.store import Store

__all__ = [
    "GAP",
    "RUN",
    "DeadLetters",
    "Delivery",
    "Destination",
    "Later",
    "Limits",
    "Receipt",
    "Refused",
    "Report",
    "Store",
    "Taken",
    "Undeliverable",
    "destination_settings",
    "gap_events",
    "kinds",
    "make_destinations",
    "run_event",
]
