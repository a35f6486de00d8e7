"""What the parts of fleetflow promise each other.

Plain records and protocols, no behaviour: a plugin is written against these and nothing else.

- `payload`: what a source emits (payloads, spans, notices) and what cannot be used of it (rejects)
- `source`: reading payloads from outside, from a position
- `schema`: turning payloads into pings
- `rule`: judging pings
- `judge`: judging pings by what their vehicle did before
- `detector`: turning pings into events
- `sink`: making the outcome durable
- `vehicles`: reading and updating the vehicles map
- `notifier`: telling others of events
- `history`: reading every ping that was archived
- `query`: asking the stores questions
- `page`: adding a page to the dashboard
"""
