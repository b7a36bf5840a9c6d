"""Messages into the daemon's own log, for machines that read logs and for trying things out."""

from typing import Literal

import structlog

from sidecar.channels import Channel, SendContext, words
from sidecar.model.notifications import Notification
from sidecar.templating.plain import label_text

_log = structlog.get_logger("sidecar.channels.log")


class LogChannel(Channel):
    """Writes each message as one event `notification`; never fails."""

    type: Literal["log"] = "log"

    async def send(self, notification: Notification, ctx: SendContext) -> None:
        message = words(notification, ctx)
        event = _log.warning if notification.firing else _log.info
        event(
            "notification",
            channel=self.name,
            id=message.id,
            kind=message.kind.value,
            group_key=notification.group_key,
            severity=message.severity,
            headline=message.headline,
            lead=message.lead,
            alerts=[
                {
                    "alert": item.title,
                    "state": item.state,
                    "about": item.subject,
                    "summary": item.summary,
                    "description": item.description,
                    "next_step": item.next_step,
                    "facts": {fact.name: fact.text for fact in item.facts},
                    "labels": label_text(item.labels),
                    "links": {link.text: link.url for link in item.links},
                    "commands": {command.text: command.line for command in item.commands},
                }
                for item in message.items
            ],
            more=message.more,
        )
