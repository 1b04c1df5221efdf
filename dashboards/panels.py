"""Building blocks of the dashboards: selectors, colours, panels, variables.

Only the standard library. What is here knows Grafana's classic JSON; what a
board shows is in fleet.py, connection.py and exporter.py.
"""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

# Okabe and Ito: told apart with any common colour vision. A colour never
# stands alone, the text beside it says the same. TEXT is the theme's own: what
# asks for nothing.
BLUE, ORANGE, RED, SKY, GREEN, YELLOW, PURPLE, GREY = (
    "#0072B2", "#E69F00", "#D55E00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#999999")
TEXT = "text"
# Orange for letters: the other is too pale on white.
AMBER = "#B37400"

CONNECTION = "cluster, namespace, job, account, project, connection_id, domain, profile_name"
SCOPE = "cluster, namespace, job, account, project"

CODES = [(".", GREY), ("^2..$", BLUE), ("^4..$", PURPLE), ("^429$", ORANGE), ("^5..$", RED), ("^error$", YELLOW)]
ENDPOINTS = [(".", GREY), ("^connections$", BLUE), ("^connection$", SKY), ("^timeline$", ORANGE), ("^projects$", GREEN),
             ("^org_limits$", PURPLE), ("^org_entitlements$", YELLOW), ("^auth_context$", RED)]
REASONS = [(".", GREY), ("dns|connect|tls|timeout|transport", BLUE), ("unauthorized|forbidden|key", RED),
           ("rate_limited|retry_after|quota", ORANGE), ("server_error|backoff", PURPLE),
           ("concurrency|malformed_row|decode", SKY)]
OUTCOMES = [("SUCCESS", BLUE), ("FAILED", RED), ("EXPIRED", ORANGE), ("CANCELED", GREY)]


# --- PromQL --------------------------------------------------------------------

def selector(name, *matchers):
    return name + "{" + ",".join(matchers) + "}"


def metric(name, *matchers):
    """What an exporter shows; job and instance are in every one."""
    return selector(name, 'job=~"$job"', 'instance=~"$instance"', *matchers)


def eq(label, value):
    return f'{label}="{value}"'


def among(label, *values):
    return f'{label}=~"{"|".join(values)}"'


# --- fields ----------------------------------------------------------------------

def mapped(*texts):
    """`texts` are (value, text, colour): a value becomes a text."""
    return [{"type": "value", "options": {
        str(value): {"index": index, "text": text, "color": color} for index, (value, text, color) in enumerate(texts)}}]


def ranges(*texts):
    """`texts` are (from, to, text, colour)."""
    return [{"type": "range", "options": {"from": start, "to": end, "result": {"index": index, "text": text, "color": color}}}
            for index, (start, end, text, color) in enumerate(texts)]


def thresholds(*steps):
    """`steps` are (from, colour); the first has no beginning."""
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for value, color in steps]}


def fixed(color):
    return {"mode": "fixed", "fixedColor": color}


BY_THRESHOLD = {"mode": "thresholds"}
# For series without a meaning of their own, such as instances: each has another.
BY_SERIES = {"mode": "palette-classic"}


def override(matcher, at, properties):
    return {"matcher": {"id": matcher, "options": at},
            "properties": [{"id": name.replace("__", "."), "value": value} for name, value in properties.items()]}


def by_name(field, **properties):
    return override("byName", field, properties)


def by_query(ref, **properties):
    return override("byFrameRefID", ref, properties)


def by_pattern(pattern, **properties):
    return override("byRegexp", f"/{pattern}/", properties)


# Below Grafana 9.5 a cell has `displayMode`, since then `cellOptions`.
WRAPPED = {"custom__displayMode": "auto", "custom__cellOptions": {"type": "auto", "wrapText": True}, "custom__inspect": True}
COLORED = {"custom__displayMode": "color-text", "custom__cellOptions": {"type": "color-text"}}
BAR = {"custom__displayMode": "basic", "custom__cellOptions": {"type": "gauge", "mode": "basic"}}


# --- panels ------------------------------------------------------------------------

def query(expr, legend="", instant=False, table=False, step="1m"):
    """`step` keeps a rate's window above two scrapes where the data source
    does not know how far these are apart."""
    return {"datasource": DATASOURCE, "expr": expr, "refId": "A", "legendFormat": legend or "__auto", "interval": step,
            "instant": instant, "range": not instant, "format": "table" if table else "time_series"}


def now(expr, legend=""):
    return query(expr, legend, instant=True)


def rows_of(expr):
    return query(expr, instant=True, table=True)


def panel(kind, title, question, targets, unit="short", options=None, overrides=(), custom=None,
          transformations=(), empty="no data", **defaults):
    for index, target in enumerate(targets):
        target["refId"] = "ABCDEFGHIJKLM"[index]
    made = {
        "type": kind, "title": title, "description": question, "datasource": DATASOURCE,
        "targets": list(targets), "options": options or {},
        "fieldConfig": {"defaults": {"unit": unit, "noValue": empty, **defaults}, "overrides": list(overrides)},
    }
    if custom is not None:
        made["fieldConfig"]["defaults"]["custom"] = custom
    if transformations:
        made["transformations"] = list(transformations)
    return made


def numbers(title, question, cells, size=24, **more):
    """Numbers side by side in one panel, few enough for the width of a phone.
    Each cell is (name, expression, properties). The number has the colour, and
    only where it asks for something."""
    # Before Grafana 10 name and number touch where they stand side by side.
    targets = [now(expr, name + "\u2002") for name, expr, _ in cells]
    overrides = [by_query("ABCDEFGHIJKLM"[index], **{"thresholds": thresholds((None, TEXT)), **properties})
                 for index, (_, _, properties) in enumerate(cells)]
    return panel("stat", title, question, targets, "none", {
        "colorMode": "value", "graphMode": "none", "justifyMode": "center", "orientation": "auto",
        "textMode": "value_and_name", "wideLayout": False, "showPercentChange": False,
        "percentChangeColorMode": "standard", "text": {"titleSize": 13, "valueSize": size},
        "reduceOptions": {"calcs": ["last"], "fields": "", "values": False}},
        overrides, color=BY_THRESHOLD, thresholds=thresholds((None, TEXT)), **more)


LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
TOOLTIP = {"mode": "multi", "sort": "desc"}


# More than a wide panel tells apart; each costs Prometheus a look back over a rate's window.
MOST_POINTS = 240
# A bar wants some width.
MOST_BARS = 80
# Grafana makes room for the label that has most letters, which need not be the widest.
WIDE = {"ops": 84, "reqps": 84}


def lines(title, question, targets, unit="short", stacked=False, bars=0, colors=(), overrides=(), below_zero=False,
          objective=None, **defaults):
    """`colors` are (pattern of a series' name, colour), the last that fits
    wins; without them each series has another. `bars` is how much of its time
    a bar is wide: what happens now and then is a bar, since a line through one
    value, with none before and after it, is not seen."""
    overrides = [by_pattern(pattern, color=fixed(color)) for pattern, color in colors] + list(overrides)
    defaults.setdefault("color", fixed(GREY) if colors else BY_SERIES)
    if not below_zero:
        defaults.setdefault("min", 0)
    custom = {"drawStyle": "bars" if bars else "line", "fillOpacity": 70 if bars else 60 if stacked else 0,
              # The outline of a series that is absent would lie on the stack.
              "lineWidth": 0 if stacked or bars else 2, "showPoints": "never", "spanNulls": False, "axisPlacement": "auto",
              # Steps reach from the first value to the panel's edge, and say what nobody measured.
              "barAlignment": -1 if bars else 0, **({"barWidthFactor": bars} if bars else {}), "lineInterpolation": "linear",
              "stacking": {"mode": "normal" if stacked else "none", "group": "A"}}
    if unit in WIDE:
        custom["axisWidth"] = WIDE[unit]
    if objective is not None:
        custom["thresholdsStyle"] = {"mode": "dashed"}
        defaults["thresholds"] = thresholds((None, "transparent"), (objective, GREY))
    if "soft_max" in defaults:
        custom["axisSoftMax"] = defaults.pop("soft_max")
    if "soft_min" in defaults:
        custom["axisSoftMin"] = defaults.pop("soft_min")
    made = panel("timeseries", title, question, targets, unit, {"legend": LEGEND, "tooltip": TOOLTIP}, overrides, custom, **defaults)
    return {**made, "maxDataPoints": MOST_BARS if bars else MOST_POINTS}


def states(title, question, targets, texts, names=False, height=0.8, **more):
    """Codes over time, each with a text; a gap is a gap, never joined."""
    return panel("state-timeline", title, question, targets, "none",
                 {"mergeValues": True, "showValue": "auto" if names else "never", "alignValue": "left", "rowHeight": height,
                  "legend": {**LEGEND, "showLegend": not names}, "tooltip": {"mode": "single", "sort": "none"}},
                 [by_pattern(".*", noValue="not known")], custom={"fillOpacity": 85, "lineWidth": 0, "spanNulls": False},
                 color=fixed(GREY), mappings=mapped(*texts), thresholds=thresholds((None, GREY)), **more)


def table(title, question, targets, columns, overrides=(), sort=None, descending=True, empty="none", merge=True, header=True,
          **defaults):
    """`columns` are (field, its title, width or None), in their order; every
    other field is left out."""
    options = {"showHeader": header, "cellHeight": "sm", "frameIndex": 0}
    if sort:
        options["sortBy"] = [{"displayName": sort, "desc": descending}]
    named = [by_name(name, custom__width=width) for _, name, width in columns if width]
    transformations = ([{"id": "merge", "options": {}}] if merge else []) + [
        # What is not named is left out.
        {"id": "filterFieldsByName", "options": {"include": {"names": [field for field, _, _ in columns]}}},
        {"id": "organize", "options": {
            "excludeByName": {}, "indexByName": {field: index for index, (field, _, _) in enumerate(columns)},
            "renameByName": {field: name for field, name, _ in columns}}}]
    # An empty cell says so in another way than an empty table.
    return panel("table", title, question, targets, "none", options, [by_pattern(".*", noValue="–")] + named + list(overrides),
                 {"align": "left", "filterable": False, "inspect": False}, transformations, empty=empty,
                 color=fixed(TEXT), thresholds=thresholds((None, TEXT)), **defaults)


# --- boards ------------------------------------------------------------------------

def row(title, height=None, cells=()):
    """A headline; with cells it is closed, and these are in it."""
    return {"type": "row", "title": title, "collapsed": bool(cells), "panels": [], "cells": [(height, list(cells))] if cells else []}


def placed(cells, y, height, next_id):
    x, made = 0, []
    for width, one in cells:
        made.append({"id": next_id + len(made), "gridPos": {"x": x, "y": y, "w": width, "h": height}, **one})
        x += width
    assert x == 24, [one["title"] for _, one in cells]
    return made


def laid_out(rows):
    """`rows` are (height, [(width, panel), …]); widths of a row add up to 24.
    Panels in a closed row lie below it, where they are when it is opened."""
    panels, y, count = [], 0, 1
    for height, cells in rows:
        made = placed(cells, y, height, count)
        count += len(made)
        y += height
        for one in made:
            below = y
            for inner_height, inner in one.pop("cells", []):
                one["panels"] += placed(inner, below, inner_height, count)
                count += len(inner)
                below += inner_height
        panels += made
    return panels


def variable(name, label, expr, multi=True, all_value=".*", **more):
    """Asked for when a board is opened, not at every refresh."""
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE, "query": expr,
            "definition": expr, "refresh": 1, "sort": 1, "multi": multi, "includeAll": multi,
            **({"allValue": all_value} if multi and all_value else {}),
            **({"current": {"selected": True, "text": "All", "value": "$__all"}}
               if multi else {"current": {"selected": False, "text": "", "value": ""}}),
            "hide": 0, "skipUrlSync": False, "options": [], "regex": "", **more}


def data_source():
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1,
            "hide": 0, "includeAll": False, "multi": False, "options": [], "regex": "", "skipUrlSync": False,
            # The default one, not the first by name.
            "current": {"selected": True, "text": "default", "value": "default"}}


# What alerts are about, where they name it.
OF_ALERTS = ('job=~"$job"', 'cluster=~"$cluster|"', 'namespace=~"$namespace|"')


def alerts(*matchers, name="ALERTS"):
    states = ('alertstate="firing"',) if name == "ALERTS" else ()
    return selector(name, 'alertname=~"KernelAuth.*"', *states, *matchers)


def named_alert(expr):
    """An alert's name without what all of them begin with."""
    return f'label_replace({expr}, "alert", "$1", "alertname", "KernelAuth(.+)")'


# `assets --runbook-base-url` puts another in its place.
RUNBOOKS = "https://example.com/kernel-auth-exporter/docs/runbooks"


def runbook():
    """From an alert's name, as `named_alert` leaves it, to what to do."""
    return by_name("Alert", links=[{
        "title": "Runbook", "targetBlank": True, "url": RUNBOOKS + "/KernelAuth${__data.fields.Alert}.md"}])


def began(name, expr, title, text):
    """A line where alerts began to fire. Grafana asks for a hundred moments of
    the range, whatever the step is: none may fall between two of them."""
    return {"name": name, "datasource": DATASOURCE, "enable": True, "hide": False, "iconColor": ORANGE,
            "expr": f"last_over_time({expr}[$__interval]) unless {expr} offset $__interval", "step": "60s",
            "titleFormat": title, "textFormat": text, "tagKeys": "severity"}


def board(uid, title, description, panels, variables, annotations, time="now-6h"):
    return {
        "uid": uid, "title": title, "description": description, "tags": ["kernel-auth"],
        "schemaVersion": 37, "version": 1, "editable": False, "graphTooltip": 1, "timezone": "browser",
        "refresh": "30s", "time": {"from": time, "to": "now"}, "fiscalYearStartMonth": 0, "liveNow": False,
        "timepicker": {"refresh_intervals": ["10s", "30s", "1m", "5m", "15m", "30m", "1h"]},
        "links": [{"title": "Kernel auth", "type": "dashboards", "icon": "external link", "tooltip": "", "url": "",
                   "tags": ["kernel-auth"], "asDropdown": True, "targetBlank": False, "includeVars": True,
                   "keepTime": True}],
        "annotations": {"list": annotations},
        "templating": {"list": variables},
        "panels": panels,
    }
