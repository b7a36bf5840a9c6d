"""What checks share that have a message written, and pay for it."""

import asyncio
from typing import Any, ClassVar

from pydantic import Field

from sidecar.checks import CheckFailed, ProbeContext
from sidecar.checks._http import quoted
from sidecar.checks.claude._call import ClaudeCheck
from sidecar.claude import pricing, stop_reasons
from sidecar.claude.errors import ErrorType, outcome
from sidecar.claude.usage import Usage
from sidecar.model.durations import Duration
from sidecar.model.families import (
    CLAUDE_COST,
    CLAUDE_DURATION,
    CLAUDE_REQUESTS,
    CLAUDE_STOP_REASONS,
    CLAUDE_TOKENS,
)


class PaidCheck(ClaudeCheck):
    """A check whose every probe costs money, and is counted as a request beside the traffic's."""

    costs_money: ClassVar[bool] = True

    every: Duration = Field(300.0, description="Time from one probe to the next; each one is paid for.", ge=0.1)
    model: str = Field("claude-haiku-5-5", description="The model that is asked.", min_length=1, max_length=200)
    prompt: str = Field("Say OK.", description="What is asked; its words do not matter.", min_length=1)

    @property
    def path(self) -> str:
        return "/v1/messages"

    @property
    def own(self) -> dict[str, str]:
        """Labels of what Claude's families record."""
        return {"model": self.model, "source": "probe"}

    def payload(self, max_tokens: int, **more: Any) -> dict[str, Any]:
        """The request. It sets no sampling and begins no answer: newer models and API versions refuse both."""
        message = {"role": "user", "content": self.prompt}
        return {"model": self.model, "max_tokens": max_tokens, "messages": [message], **more}

    async def probe(self, ctx: ProbeContext) -> None:
        error_type: str = ErrorType.INTERNAL
        try:
            await super().probe(ctx)
            error_type = ""
        except CheckFailed as exc:
            error_type = exc.error_type
            raise
        except asyncio.CancelledError:
            error_type = ErrorType.TIMEOUT  # the prober's own, when a busy machine let both pass at once
            raise
        finally:
            # Also when we are cancelled: then nobody looks at what was recorded.
            ctx.record(CLAUDE_REQUESTS, 1.0, outcome=outcome(error_type), error_type=error_type, **self.own)

    def record_usage(self, ctx: ProbeContext, usage: Usage) -> None:
        """What the request consumed, and what that costs."""
        always = {"input": usage.input_tokens, "output": usage.output_tokens}
        cached = {"cache_read": usage.cache_read, "cache_write": usage.cache_write}
        for kind, count in {**always, **{kind: count for kind, count in cached.items() if count}}.items():
            ctx.record(CLAUDE_TOKENS, float(count), token_type=kind, **self.own)
        dollars = pricing.cost(self.model, usage)
        if dollars is not None:
            ctx.record(CLAUDE_COST, float(dollars), **self.own)

    def record_end(self, ctx: ProbeContext, stop_reason: str, model: str, seconds: float) -> None:
        """A message that was finished, *seconds* after its request had left."""
        ctx.record(CLAUDE_STOP_REASONS, 1.0, stop_reason=stop_reasons.label(stop_reason), **self.own)
        ctx.record(CLAUDE_DURATION, seconds, **self.own)
        ctx.note(stop_reason=quoted(stop_reason), model=quoted(model))
