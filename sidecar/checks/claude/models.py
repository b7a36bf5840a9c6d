"""Whether the API lists its models to us: free, and proof that the key is good."""

from typing import Literal
from urllib.parse import quote

from pydantic import Field

from sidecar.checks import ProbeContext
from sidecar.checks.claude._call import ClaudeCheck, not_expected, whole
from sidecar.claude import models
from sidecar.model.families import CLAUDE_MODEL_ACTIVE, CLAUDE_MODEL_RETIRES


class ClaudeModelsCheck(ClaudeCheck):
    """Asks for the list of models, or for one of them; says nothing about capacity."""

    type: Literal["claude.models"] = "claude.models"
    model: str = Field(
        "",
        description="A model that must be listed, and whose lifecycle is recorded.",
        max_length=200,
        examples=["claude-haiku-5-5"],
    )

    @property
    def path(self) -> str:
        return f"/v1/models/{quote(self.model, safe='')}" if self.model else "/v1/models?limit=1"

    async def ask(self, ctx: ProbeContext) -> None:
        async with self.call(ctx, "GET") as answer:
            body = await whole(answer)
            found = models.parse(body) if self.model else models.parse_page(body)
            if found is None:
                raise not_expected(ctx, answer.response, body)
        if isinstance(found, models.ModelInfo):
            ctx.record(CLAUDE_MODEL_ACTIVE, 1.0 if found.active else 0.0, model=self.model)
            if found.retires_at is not None:
                ctx.record(CLAUDE_MODEL_RETIRES, found.retires_at, model=self.model)
