"""Whether the API counts the tokens of a prompt: free, and proof that key, model and request are good."""

from typing import Literal

from pydantic import Field

from sidecar.checks import ProbeContext
from sidecar.checks.claude._call import ClaudeCheck, not_expected, whole
from sidecar.claude import messages
from sidecar.model.families import CLAUDE_INPUT_TOKENS


class ClaudeCountTokensCheck(ClaudeCheck):
    """Has the tokens of a prompt counted; has a limit of its own, and says nothing about capacity."""

    type: Literal["claude.count_tokens"] = "claude.count_tokens"
    model: str = Field("claude-haiku-5-5", description="The model that would be asked.", min_length=1, max_length=200)
    prompt: str = Field("Say OK.", description="What is counted.", min_length=1)

    @property
    def path(self) -> str:
        return "/v1/messages/count_tokens"

    async def ask(self, ctx: ProbeContext) -> None:
        payload = {"model": self.model, "messages": [{"role": "user", "content": self.prompt}]}
        async with self.call(ctx, "POST", payload) as answer:
            body = await whole(answer)
            count = messages.count(body)
            if count is None:
                raise not_expected(ctx, answer.response, body)
        ctx.record(CLAUDE_INPUT_TOKENS, float(count), model=self.model)
