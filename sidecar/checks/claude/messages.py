"""Whether Claude answers a message."""

from typing import Literal

from pydantic import Field

from sidecar.checks import ProbeContext
from sidecar.checks.claude._call import not_expected, whole
from sidecar.checks.claude._paid import PaidCheck
from sidecar.claude import messages


class ClaudeMessagesCheck(PaidCheck):
    """Asks for a whole message. Any well-formed one is a success, whatever it says and however it stopped."""

    type: Literal["claude.messages"] = "claude.messages"
    max_tokens: int = Field(
        1, description="The most tokens to pay for; 0 has the prompt read and nothing written.", ge=0, le=4096
    )

    async def ask(self, ctx: ProbeContext) -> None:
        async with self.call(ctx, "POST", self.payload(self.max_tokens)) as answer:
            with ctx.timed("transfer"):
                body = await whole(answer)
            ended_at = ctx.clock.monotonic()
            message = messages.parse(body)
            if message is None:
                raise not_expected(ctx, answer.response, body)
        self.record_usage(ctx, message.usage)
        self.record_end(ctx, message.stop_reason, message.model, ended_at - answer.sent_at)
