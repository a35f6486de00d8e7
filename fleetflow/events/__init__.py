"""Events: kept durably and once, and told to others.

- `form`: an event as JSON and as a line of text
- `store`: writing events, and how far each notifier has come
- `reader`: reading events from any process
- `sink`: the job's way in
- `outbox`: handing stored events to notifiers
- `notifiers`, `webhook`: the built-in notifiers
- `address`: a webhook's URL, and what of it may be shown
- `commands`: `fleetflow events …`
"""
