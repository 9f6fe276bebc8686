"""Grafana panels and dashboards as plain dictionaries: what make_dashboards.py is written in.

A dashboard is rows of panels; where each stands and its id follow from the order. Every panel has a
unit, and thresholds where a value can be good or bad.
"""

DATASOURCE = {"type": "prometheus", "uid": "kvscope-prometheus"}
COLUMNS = 24

GREEN, YELLOW, ORANGE, RED, BLUE = "green", "yellow", "orange", "red", "blue"


def thresholds(base, *steps):
    """`base` is the colour below the first step; a step is (value, colour from there on)."""
    return {
        "mode": "absolute",
        "steps": [{"color": base, "value": None}]
        + [{"color": color, "value": value} for value, color in steps],
    }


def query(expr, legend="", instant=False):
    target = {"datasource": DATASOURCE, "expr": expr, "legendFormat": legend or "__auto"}
    return target | ({"instant": True, "format": "table"} if instant else {"range": True})


def _panel(kind, title, says, unit, targets, limits, width, height, options, custom=None):
    for index, target in enumerate(targets):
        target["refId"] = chr(ord("A") + index)
    defaults = {"unit": unit, "thresholds": limits or thresholds(BLUE)}
    if custom:
        defaults["custom"] = custom
    return {
        "type": kind,
        "title": title,
        "description": says,
        "datasource": DATASOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "gridPos": {"w": width, "h": height},
    }


def stat(title, says, unit, expr, limits=None, width=4):
    options = {
        "colorMode": "value",
        "graphMode": "area",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    return _panel("stat", title, says, unit, [query(expr)], limits, width, 4, options)


def series(title, says, unit, targets, limits=None, width=8, height=8, stacked=False, top=None):
    """Lines over time; with `limits` the thresholds are drawn too. `top`: the axis' end."""
    custom = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 40 if stacked else 8,
        "showPoints": "never",
        "stacking": {"mode": "normal" if stacked else "none"},
        "thresholdsStyle": {"mode": "line" if limits else "off"},
    }
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    panel = _panel("timeseries", title, says, unit, targets, limits, width, height, options, custom)
    panel["fieldConfig"]["defaults"] |= {"min": 0} | ({"max": top} if top else {})
    return panel


def bars(title, says, unit, expr, legend, limits, width=8, height=8, top=1):
    options = {
        "displayMode": "gradient",
        "orientation": "horizontal",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    panel = _panel(
        "bargauge", title, says, unit, [query(expr, legend)], limits, width, height, options
    )
    panel["fieldConfig"]["defaults"] |= {"min": 0, "max": top}
    return panel


def _columns(names):
    """Joins the instant queries A, B ... by their labels and names their values."""
    shown = {f"Value #{chr(ord('A') + i)}": name for i, name in enumerate(names) if name}
    hidden = {f"Value #{chr(ord('A') + i)}": True for i, name in enumerate(names) if not name}
    if len(names) == 1:
        shown, hidden = {"Value": names[0]} if names[0] else {}, {} if names[0] else {"Value": True}
    return [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {"excludeByName": {"Time": True} | hidden, "renameByName": shown},
        },
    ]


def table(title, says, unit, columns, limits=None, width=24, height=8):
    """`columns`: (name, expression), an expression's labels are columns too; name "": only they."""
    targets = [query(expr, instant=True) for _, expr in columns]
    options = {"showHeader": True, "cellHeight": "sm"}
    custom = {"align": "auto", "cellOptions": {"type": "color-text" if limits else "auto"}}
    panel = _panel("table", title, says, unit, targets, limits, width, height, options, custom)
    panel["transformations"] = _columns([name for name, _ in columns])
    return panel


def scatter(title, says, x, y, by, unit, limits=None, width=12, height=12):
    """A curve for each value of the label `by`: `x` and `y` are (name, expression)."""
    targets = [query(expr, instant=True) for _, expr in (x, y)]
    options = {
        "mapping": "auto",
        "series": [],
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    custom = {
        "show": "points+lines",
        "pointSize": {"fixed": 6},
        "lineWidth": 1,
        "axisLabel": "",
        "thresholdsStyle": {"mode": "line" if limits else "off"},
    }
    panel = _panel("xychart", title, says, unit, targets, limits, width, height, options, custom)
    panel["fieldConfig"]["defaults"] |= {"min": 0, "max": 1}
    merge, organize = _columns([x[0], y[0]])
    # The first number of a frame is its x.
    organize["options"]["indexByName"] = {by: 0, "ratio": 1, "Value #A": 2, "Value #B": 3}
    panel["transformations"] = [
        merge,
        organize,
        {"id": "sortBy", "options": {"sort": [{"field": x[0]}]}},
        {"id": "partitionByValues", "options": {"fields": [by], "keepFields": False}},
    ]
    return panel


def variable(name, label, labels_of, multi):
    """Filled from the values that label `name` has on `labels_of`."""
    text = f"label_values({labels_of}, {name})"
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "definition": text,
        "query": {"query": text, "refId": "variable"},
        "refresh": 2,
        "sort": 0,
        "multi": multi,
        "includeAll": multi,
        "allValue": ".+" if multi else None,
        "current": {"text": "All", "value": "$__all"} if multi else {},
    }


def dashboard(uid, title, says, rows, variables=()):
    """`rows`: (title, panels). Panels fill a row from the left and go on below it."""
    panels, bottom, links = [], 0, []
    for row_title, row in rows:
        panels.append(
            {
                "type": "row",
                "title": row_title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": bottom, "w": COLUMNS, "h": 1},
                "panels": [],
            }
        )
        x, y, tallest = 0, bottom + 1, 0
        for panel in row:
            place = panel["gridPos"]
            if x + place["w"] > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            place |= {"x": x, "y": y}
            x, tallest = x + place["w"], max(tallest, place["h"])
            panels.append(panel)
        bottom = y + tallest
    for index, panel in enumerate(panels):
        panel["id"] = index + 1
    links = [
        {
            "type": "dashboards",
            "title": "KVScope",
            "tags": ["kvscope"],
            "asDropdown": True,
            "includeVars": True,
            "keepTime": True,
        }
    ]
    return {
        "uid": uid,
        "title": title,
        "description": says,
        "tags": ["kvscope"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "templating": {"list": list(variables)},
        "links": links,
        "panels": panels,
    }
