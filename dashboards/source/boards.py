"""A dashboard of rows of panels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from grafana_foundation_sdk.models import dashboard

from dashboards.source import variables
from dashboards.source.panels import SOURCE
from dashboards.source.queries import of
from sidecar.model.families import SIDECAR_ALERTS

TAG: Final = "claude-sidecar"
SCHEMA: Final = 39
"""Grafana 10.3's; later ones migrate it, earlier ones read what they know."""
_COLUMNS: Final = 24


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading; the first row of a dashboard has none. Closed ones ask nothing before they are opened."""

    title: str
    panels: Sequence[dashboard.Panel]
    closed: bool = False


def board(
    name: str, title: str, text: str, rows: Sequence[Row], own: Sequence[dashboard.VariableModel] = ()
) -> dashboard.Dashboard:
    """The dashboard *name*, whose panels stand as *rows* say; *own* are variables beside the common ones."""
    return _Dashboard(
        uid=f"{TAG}-{name}",
        title=f"Claude sidecar / {title}",
        description=text,
        tags=[TAG],
        timezone="browser",
        editable=True,
        graph_tooltip=dashboard.DashboardCursorSync.CROSSHAIR,
        time=dashboard.DashboardDashboardTime(from_val="now-3h", to="now"),
        refresh="1m",
        schema_version=SCHEMA,
        version=1,
        panels=list(_placed(rows)),
        templating=dashboard.DashboardDashboardTemplating(
            list_val=[*variables.common(), *own, variables.status_page()]
        ),
        annotations=dashboard.AnnotationContainer(list_val=[_firing()]),
        links=[_status_page(), _others()],
    )


def _placed(rows: Sequence[Row]) -> Iterator[dashboard.Panel | dashboard.RowPanel]:
    """Each panel with its number and its place, from left to right and from top to bottom."""
    numbers = count(1)
    y = 0
    for row in rows:
        heading = None
        if row.title:
            place = dashboard.GridPos(h=1, w=_COLUMNS, x=0, y=y)
            heading = dashboard.RowPanel(title=row.title, collapsed=row.closed, id_val=next(numbers), grid_pos=place)
            y += 1
            yield heading
        x = tallest = 0
        for panel in row.panels:
            if panel.grid_pos is None:
                raise ValueError(f"the panel {panel.title!r} has no size")
            if x + panel.grid_pos.w > _COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            panel.id_val, panel.grid_pos.x, panel.grid_pos.y = next(numbers), x, y
            x, tallest = x + panel.grid_pos.w, max(tallest, panel.grid_pos.h)
            if heading is not None and row.closed:
                heading.panels.append(panel)
            else:
                yield panel
        y += tallest


class _Dashboard(dashboard.Dashboard):
    """In the reader's own colours."""

    def to_json(self) -> dict[str, object]:
        return {key: value for key, value in super().to_json().items() if key != "style"}


class _Annotation(dashboard.AnnotationQuery):
    """With what the data source Prometheus reads beside: how an annotation is called."""

    def to_json(self) -> dict[str, object]:
        told = {"titleFormat": "{{alertname}}", "textFormat": "{{severity}}", "tagKeys": "severity", "step": "30s"}
        return super().to_json() | told


def _firing() -> dashboard.AnnotationQuery:
    """When which alert fired, over every graph."""
    firing = of(SIDECAR_ALERTS, 'state="firing"')
    return _Annotation(
        name="Firing alerts",
        datasource=SOURCE,
        enable=True,
        icon_color="red",
        expr=f"max by (alertname, severity) ({firing})",
    )


def _status_page() -> dashboard.DashboardLink:
    return dashboard.DashboardLink(
        title="Status page",
        type_val=dashboard.DashboardLinkType.LINK,
        icon="external link",
        tooltip="What the sidecar itself says now. Set its address above.",
        url="${status_page}",
        target_blank=True,
    )


def _others() -> dashboard.DashboardLink:
    """The dashboards beside this one, for the same pods and the same time."""
    return dashboard.DashboardLink(
        title="Claude sidecar",
        type_val=dashboard.DashboardLinkType.DASHBOARDS,
        icon="external link",
        tags=[TAG],
        include_vars=True,
        keep_time=True,
    )
