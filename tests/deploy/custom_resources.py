"""Schemas of kinds that are no part of Kubernetes, as far as deploy/kubernetes uses them: a word
that is not listed here is refused, as a misspelt one would be by the operator.

From the API references of the Prometheus Operator (monitoring.coreos.com/v1) and KEDA
(keda.sh/v1alpha1).
"""


def record(required, **properties):
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


TEXT = {"type": "string", "minLength": 1}
DURATION = {"type": "string", "pattern": r"^([0-9]+(ms|s|m|h|d))+$"}
COUNT = {"type": "integer", "minimum": 0}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
LIST = {"type": "array", "minItems": 1}
METADATA = record(["name"], name=TEXT, namespace=TEXT, labels=TEXTS, annotations=TEXTS)


def kind(version, name, spec):
    return record(
        ["apiVersion", "kind", "metadata", "spec"],
        apiVersion={"const": version},
        kind={"const": name},
        metadata=METADATA,
        spec=spec,
    )


RELABELING = record(
    ["action"], action={"enum": ["replace"]}, targetLabel=TEXT, replacement=TEXT, sourceLabels=LIST
)
ENDPOINT = record(["port"], port=TEXT, interval=DURATION, relabelings=LIST | {"items": RELABELING})
RULE = {
    "oneOf": [
        record(
            ["alert", "expr"],
            **{"alert": TEXT, "expr": TEXT, "for": DURATION, "labels": TEXTS, "annotations": TEXTS},
        ),
        record(["record", "expr"], record=TEXT, expr=TEXT, labels=TEXTS),
    ]
}
GROUP = record(["name", "rules"], name=TEXT, interval=DURATION, rules=LIST | {"items": RULE})
TRIGGER = record(
    ["type", "metadata"],
    type={"const": "prometheus"},
    metadata=record(
        ["serverAddress", "query", "threshold"],
        serverAddress=TEXT,
        query=TEXT,
        threshold={"type": "string", "pattern": r"^[0-9.]+$"},
        activationThreshold={"type": "string", "pattern": r"^[0-9.]+$"},
    ),
)

SCHEMAS = {
    "ServiceMonitor": kind(
        "monitoring.coreos.com/v1",
        "ServiceMonitor",
        record(
            ["selector", "endpoints"],
            selector=record(["matchLabels"], matchLabels=TEXTS),
            endpoints=LIST | {"items": ENDPOINT},
        ),
    ),
    "PrometheusRule": kind(
        "monitoring.coreos.com/v1",
        "PrometheusRule",
        record(["groups"], groups=LIST | {"items": GROUP}),
    ),
    "ScaledObject": kind(
        "keda.sh/v1alpha1",
        "ScaledObject",
        record(
            ["scaleTargetRef", "triggers"],
            scaleTargetRef=record(["name"], apiVersion=TEXT, kind=TEXT, name=TEXT),
            minReplicaCount=COUNT,
            maxReplicaCount=COUNT,
            pollingInterval=COUNT,
            cooldownPeriod=COUNT,
            fallback=record(
                ["failureThreshold", "replicas"], failureThreshold=COUNT, replicas=COUNT
            ),
            advanced={"type": "object"},
            triggers=LIST | {"items": TRIGGER},
        ),
    ),
}
