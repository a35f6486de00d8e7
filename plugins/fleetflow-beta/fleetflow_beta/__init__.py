"""Web services as a source of pings: `GET {url}?since=N&limit=M`, page by page, from a position.

- `settings`: the table `[beta]`
- `address`: a service's URL, without what must stay secret
- `page`: what one answer holds (pure functions)
- `reached`: how far a service has been read, as it is stored
- `client`: one HTTP request, with every way in which it can fail
- `fetcher`: the thread that keeps reading one service
- `source`: the partitions that fleetflow drains
"""
