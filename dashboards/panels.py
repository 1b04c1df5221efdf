"""Building blocks of the dashboards: selectors, colours, panels, variables.

Only the standard library. What is here knows Grafana's classic JSON; what a
board shows is in fleet.py, connection.py and exporter.py.
"""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
NO_DATA = "no data"

# Okabe and Ito: told apart with any common colour vision. A colour never
# stands alone, the text beside it says the same.
BLUE, ORANGE, RED, SKY, GREEN, YELLOW, PURPLE, GREY = (
    "#0072B2", "#E69F00", "#D55E00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#999999")

KEY = "job, account, project, connection_id"
NAMED = KEY + ", domain, profile_name"
SCOPE = "job, account, project"

# State to (code, colour). A code is what a state timeline can show; the text
# comes back by a value mapping.
STATUS = {"AUTHENTICATED": (1, BLUE), "NEEDS_AUTH": (2, RED), "UNKNOWN": (3, GREY)}
FLOW_STATUS = {"NONE": (0, GREY), "IN_PROGRESS": (1, YELLOW), "SUCCESS": (2, BLUE), "FAILED": (3, RED),
               "EXPIRED": (4, ORANGE), "CANCELED": (5, PURPLE), "UNKNOWN": (6, GREY)}
FLOW_STEP = {"NONE": (0, GREY), "DISCOVERING": (1, SKY), "AWAITING_INPUT": (2, RED),
             "AWAITING_EXTERNAL_ACTION": (3, ORANGE), "SUBMITTING": (4, YELLOW), "COMPLETED": (5, BLUE),
             "UNKNOWN": (6, GREY)}
FLOW_TYPE = {"NONE": (0, GREY), "LOGIN": (1, SKY), "REAUTH": (2, PURPLE), "UNKNOWN": (3, GREY)}
YES_NO = {"no": (0, RED), "yes": (1, BLUE)}

OUTCOMES = [("SUCCESS", BLUE), ("FAILED", RED), ("EXPIRED", ORANGE), ("CANCELED", PURPLE), ("AUTHENTICATED", GREEN),
            ("NEEDS_AUTH", YELLOW)]
TYPES = [("login", BLUE), ("reauth", ORANGE)]
CODES = [(".", GREY), (" 2..$", BLUE), (" 3..$", SKY), (" 4..$", RED), (" 429$", ORANGE), (" 5..$", PURPLE)]
REASONS = [(".", GREY), ("dns|connect|tls|timeout|transport", BLUE), ("unauthorized|forbidden|key", RED),
           ("rate_limited|retry_after|quota", ORANGE), ("server_error|backoff", PURPLE),
           ("concurrency|malformed_row|decode", SKY)]


# --- PromQL --------------------------------------------------------------------

def metric(name, *matchers):
    """A selector; job and instance are in every one."""
    return name + "{" + ",".join(('job=~"$job"', 'instance=~"$instance"') + matchers) + "}"


def eq(label, value):
    return f'{label}="{value}"'


def among(label, *values):
    return f'{label}=~"{"|".join(values)}"'


def folded(family, label, states, by, *matchers):
    """A one-hot family as one code per connection: what is worst wins where
    replicas disagree. Works with both settings of --metrics.states."""
    worst_first = sorted(states.items(), key=lambda item: item[1][1] != RED)
    codes = " or ".join(
        f"max by ({by}) ({metric(family, *matchers, eq(label, state))} == 1)"
        + (f" * {code}" if code != 1 else "")
        for state, (code, _) in worst_first)
    return f"({codes})"


# --- fields ----------------------------------------------------------------------

def mappings(states):
    return [{"type": "value", "options": {
        str(code): {"index": index, "text": text, "color": color}
        for index, (text, (code, color)) in enumerate(states.items())}}]


def thresholds(*steps):
    """`steps` are (from, colour); the first has no beginning."""
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for value, color in steps]}


def fixed(color):
    return {"mode": "fixed", "fixedColor": color}


def by_name(field, **properties):
    return {"matcher": {"id": "byName", "options": field},
            "properties": [{"id": name.replace("__", "."), "value": value} for name, value in properties.items()]}


def by_query(ref, **properties):
    return {**by_name(ref, **properties), "matcher": {"id": "byFrameRefID", "options": ref}}


def by_pattern(pattern, **properties):
    return {**by_name(pattern, **properties), "matcher": {"id": "byRegexp", "options": f"/{pattern}/"}}


# --- panels ------------------------------------------------------------------------

def query(expr, legend="", ref="A", instant=False, table=False):
    return {"datasource": DATASOURCE, "expr": expr, "refId": ref, "legendFormat": legend or "__auto",
            "instant": instant, "range": not instant, "format": "table" if table else "time_series"}


def panel(kind, title, description, targets, unit="short", options=None, overrides=(), custom=None,
          transformations=(), **defaults):
    for index, target in enumerate(targets):
        target["refId"] = "ABCDEFGHIJKLM"[index]
    made = {
        "type": kind, "title": title, "description": description, "datasource": DATASOURCE,
        "targets": list(targets), "options": options or {},
        "fieldConfig": {"defaults": {"unit": unit, "noValue": NO_DATA, **defaults}, "overrides": list(overrides)},
    }
    if custom is not None:
        made["fieldConfig"]["defaults"]["custom"] = custom
    if transformations:
        made["transformations"] = list(transformations)
    return made


def reduced(calc="lastNotNull"):
    return {"calcs": [calc], "fields": "", "values": False}


def stat(title, description, expr, unit="short", legend="", text="value", graph="none", **defaults):
    """One number, or with text="name" the label that `legend` picks."""
    defaults.setdefault("color", {"mode": "thresholds"})
    defaults.setdefault("thresholds", thresholds((None, BLUE)))
    return panel("stat", title, description, [query(expr, legend, instant=True)], unit, {
        "colorMode": "background", "graphMode": graph, "justifyMode": "auto", "orientation": "auto",
        "textMode": text, "wideLayout": True, "showPercentChange": False, "percentChangeColorMode": "standard",
        "reduceOptions": {**reduced("last"), "calcs": ["last"]}}, **defaults)


def state(title, description, expr, states, **defaults):
    """One folded code, shown as its text."""
    return stat(title, description, expr, "none", mappings=mappings(states), color=fixed(GREY), **defaults)


LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
TOOLTIP = {"mode": "multi", "sort": "desc"}


def lines(title, description, targets, unit="short", stacked=False, bars=False, colors=(), below_zero=False,
          **defaults):
    """`colors` are (pattern of a series' name, colour), the last that fits wins;
    without them each query has its own."""
    overrides = [by_pattern(pattern, color=fixed(color)) for pattern, color in colors] or [
        by_query("ABCDEFGHIJKLM"[index], color=fixed(color))
        for index, (_, color) in enumerate(zip(targets, (BLUE, ORANGE, RED, SKY, PURPLE)))]
    defaults.setdefault("color", fixed(GREY))
    if not below_zero:
        defaults.setdefault("min", 0)
    return panel("timeseries", title, description, targets, unit,
                 {"legend": {**LEGEND, "displayMode": "table", "placement": "right", "calcs": ["lastNotNull", "max"]},
                  "tooltip": TOOLTIP},
                 overrides,
                 {"drawStyle": "bars" if bars else "line", "lineWidth": 1, "fillOpacity": 60 if stacked else 10,
                  "showPoints": "never", "spanNulls": False, "axisPlacement": "auto",
                  "stacking": {"mode": "normal" if stacked else "none", "group": "A"}}, **defaults)


def timeline(title, description, targets, states, **more):
    """States over time; a gap is a gap, never joined."""
    return panel("state-timeline", title, description, targets, "none",
                 {"mergeValues": True, "showValue": "auto", "alignValue": "left", "rowHeight": 0.8,
                  "legend": LEGEND, "tooltip": {"mode": "single", "sort": "none"}},
                 custom={"fillOpacity": 85, "lineWidth": 0, "spanNulls": False},
                 color=fixed(GREY), mappings=mappings(states), thresholds=thresholds((None, GREY)), **more)


def bar_gauge(title, description, targets, unit="short", color=RED, **defaults):
    return panel("bargauge", title, description, targets, unit, {
        "displayMode": "basic", "valueMode": "color", "namePlacement": "auto", "showUnfilled": True,
        "sizing": "auto", "minVizWidth": 8, "minVizHeight": 16, "maxVizHeight": 40, "orientation": "horizontal",
        "legend": {**LEGEND, "showLegend": False}, "reduceOptions": {**reduced(), "calcs": ["last"]}},
        color=fixed(color), thresholds=thresholds((None, color)), **{"min": 0, **defaults})


def table(title, description, targets, unit="none", transformations=(), overrides=(), sort=None, **defaults):
    options = {"showHeader": True, "cellHeight": "sm", "frameIndex": 0}
    if sort:
        options["sortBy"] = [{"displayName": sort, "desc": False}]
    return panel("table", title, description, targets, unit, options, overrides,
                 {"align": "auto", "filterable": True, "inspect": False}, transformations,
                 color=fixed("text"), thresholds=thresholds((None, GREY)), **defaults)


def text(title, description, content):
    return {"type": "text", "title": title, "description": description,
            "options": {"mode": "markdown", "content": content,
                        "code": {"language": "plaintext", "showLineNumbers": False, "showMiniMap": False}}}


# --- boards ------------------------------------------------------------------------

def row(title):
    return {"type": "row", "title": title, "collapsed": False, "panels": []}


def laid_out(rows):
    """`rows` are (height, [(width, panel), …]); widths of a row add up to 24."""
    panels, y = [], 0
    for height, cells in rows:
        x = 0
        for width, made in cells:
            made = {"id": len(panels) + 1, "gridPos": {"x": x, "y": y, "w": width, "h": height}, **made}
            panels.append(made)
            x += width
        assert x == 24, [made["title"] for _, made in cells]
        y += height
    return panels


def variable(name, label, expr, multi=True, all_value=".+", **more):
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE, "query": expr,
            "definition": expr, "refresh": 2, "sort": 1, "multi": multi, "includeAll": multi,
            **({"allValue": all_value, "current": {"selected": True, "text": "All", "value": "$__all"}}
               if multi else {"current": {"selected": False, "text": "", "value": ""}}),
            "hide": 0, "skipUrlSync": False, "options": [], "regex": "", **more}


def variables(*more):
    return [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1,
         "hide": 0, "includeAll": False, "multi": False, "options": [], "regex": "", "skipUrlSync": False,
         "current": {"selected": False, "text": "", "value": ""}},
        variable("job", "Job", "label_values(kernel_auth_exporter_build_info, job)"),
        variable("instance", "Instance", 'label_values(kernel_auth_exporter_build_info{job=~"$job"}, instance)'),
        *more]


def board(uid, title, description, panels, more_variables=(), alerts="", time="now-6h"):
    return {
        "uid": uid, "title": title, "description": description, "tags": ["kernel-auth"],
        "schemaVersion": 37, "version": 1, "editable": False, "graphTooltip": 1, "timezone": "browser",
        "refresh": "30s", "time": {"from": time, "to": "now"}, "fiscalYearStartMonth": 0, "liveNow": False,
        "timepicker": {"refresh_intervals": ["10s", "30s", "1m", "5m", "15m", "30m", "1h"]},
        "links": [{"title": "Kernel auth", "type": "dashboards", "icon": "external link", "tooltip": "", "url": "",
                   "tags": ["kernel-auth"], "asDropdown": False, "targetBlank": False, "includeVars": True,
                   "keepTime": True}],
        # ALERTS has no instance: alerts are about connections, not replicas.
        "annotations": {"list": [{
            "name": "Firing alerts", "datasource": DATASOURCE, "enable": True, "hide": False, "iconColor": RED,
            "expr": f'ALERTS{{alertname=~"KernelAuth.*",alertstate="firing",job=~"$job"{alerts}}}',
            "step": "60s", "titleFormat": "{{alertname}}", "textFormat": "{{domain}} {{profile_name}}",
            "tagKeys": "severity"}]},
        "templating": {"list": variables(*more_variables)},
        "panels": panels,
    }
