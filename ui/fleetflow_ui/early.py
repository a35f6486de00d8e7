"""Pages whose head is sent before their session is made, so that browser and server work at the same time."""

from __future__ import annotations

import logging
from typing import Any

from bokeh.embed.server import server_html_page_for_session
from bokeh.server.views.doc_handler import DocHandler
from tornado.web import authenticated

from fleetflow_ui.shell import COLOURS, COOKIE

log = logging.getLogger(__name__)
END = "</head>"
OWN = ("bokeh-session-id", "bokeh-token")
"""Arguments that name a session: what becomes of it decides the whole answer."""
OTHER = "<body><script>location.reload()</script></body></html>"
"""The end of a page that has another head than the one before it."""


class EarlyPage(DocHandler):
    """Answers like Bokeh's own handler, but sends the head of the page before it at once.

    A head is the same for all sessions of a page in the same colours: style sheets, and scripts that the
    browser runs for a tenth of a second and longer, while the server makes the session, which takes as long.
    The first opening has no page before it and comes as a whole; a page of which heads differ, always.
    """

    def __init__(self, *arguments: Any, heads: dict[tuple[str, str], str | None], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._heads = heads

    @authenticated
    async def get(self, *arguments: Any, **more: Any) -> None:
        """Answer with the page."""
        theme = self.get_cookie(COOKIE, "")
        key = (self.request.path, theme if theme in COLOURS else "")
        named = "Bokeh-Session-Id" in self.request.headers or any(self.get_arguments(name) for name in OWN)
        sent = None if named else self._heads.get(key)
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        if sent is not None:
            self.write(sent)
            await self.flush()
        session = await self.get_session()
        document = session.document
        page = server_html_page_for_session(
            session,
            resources=self.application.resources(),
            title=document.title,
            template=document.template,
            template_variables=document.template_variables,
        )
        head = page[: page.index(END)]
        if sent is None:
            self._heads.setdefault(key, head)
            self.write(page)
        elif head == sent:
            self.write(page[len(head) :])
        else:
            log.debug("%s has another head than before", self.request.path)
            self._heads[key] = None
            self.write(OTHER)
