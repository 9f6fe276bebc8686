#!/usr/bin/env python3
"""Writes the dashboards beside it: the one source of deploy/grafana/dashboards/*.json.

usage: make_dashboards.py [--check]     --check: exits 1 if a file is not what would be written
"""

import json
import pathlib
import sys

from panels import (
    GREEN,
    ORANGE,
    RED,
    YELLOW,
    bars,
    dashboard,
    query,
    scatter,
    series,
    stat,
    table,
    thresholds,
    variable,
)

FOLDER = pathlib.Path(__file__).resolve().parent / "dashboards"
RATE = "[$__rate_interval]"
# Where a name joins an id: `... * on (sweep) group_left (name) NAMES`.
NAMES = "max by (sweep, name) (kvscope_sweep_info)"


def quantile(q, histogram, by):
    return f"histogram_quantile({q}, sum by (le, {by}) (rate({histogram}_bucket{RATE})))"


def cluster():
    now = [
        stat(
            "Workers",
            "Connected to the orchestrator.",
            "none",
            "sum(kvscope_orchestrator_workers)",
            thresholds(RED, (1, GREEN)),
        ),
        stat(
            "Units waiting",
            "For a worker.",
            "none",
            "sum(kvscope_orchestrator_queue_units)",
            thresholds(GREEN, (1000, YELLOW), (100000, ORANGE)),
        ),
        stat(
            "Oldest sweep waiting",
            "Age of the oldest sweep that has units waiting.",
            "s",
            "max(kvscope_orchestrator_queue_oldest_seconds)",
            thresholds(GREEN, (3600, YELLOW), (86400, ORANGE)),
        ),
        stat(
            "Units running",
            "Leased to a worker at this moment.",
            "none",
            "sum(kvscope_orchestrator_leases)",
        ),
        stat(
            "Leases lost, 15 min",
            "Expired or lost with their worker, of those given.",
            "percentunit",
            'sum(increase(kvscope_orchestrator_leases_ended_total{outcome=~"expired|lost"}[15m]))'
            " / clamp_min(sum(increase(kvscope_orchestrator_leases_given_total[15m])), 1)",
            thresholds(GREEN, (0.02, YELLOW), (0.1, RED)),
        ),
        stat(
            "Versions",
            "That run at once. Workers of another version than a sweep's get none of its units.",
            "none",
            "count(count by (version) (kvscope_build_info))",
            thresholds(GREEN, (2, RED)),
        ),
    ]
    queue = [
        series(
            "Units by state",
            "Over all sweeps; failed ones were set aside.",
            "none",
            [query("sum by (state) (kvscope_orchestrator_units)", "{{state}}")],
        ),
        series(
            "Leases ended",
            "How leases end. Only `recorded` is a result; `failed`, `expired` and `lost` cost the "
            "unit an attempt.",
            "ops",
            [
                query(
                    f"sum by (outcome) (rate(kvscope_orchestrator_leases_ended_total{RATE}))",
                    "{{outcome}}",
                )
            ],
            stacked=True,
        ),
        series(
            "Tried again, refused",
            "Leases of units that were tried before; results that came too late to count.",
            "ops",
            [
                query(f"sum(rate(kvscope_orchestrator_retries_total{RATE}))", "retries"),
                query(
                    f"sum(rate(kvscope_orchestrator_duplicates_refused_total{RATE}))",
                    "duplicates refused",
                ),
            ],
            thresholds(GREEN, (1, RED)),
        ),
        series(
            "Sweeps",
            "In the store, by state.",
            "none",
            [query("sum by (state) (kvscope_orchestrator_sweeps)", "{{state}}")],
            width=12,
        ),
        series(
            "Units at their workers",
            "What became of leased units where they were computed.",
            "ops",
            [query(f"sum by (outcome) (rate(kvscope_inference_units_total{RATE}))", "{{outcome}}")],
            width=12,
        ),
    ]
    work = [
        series(
            "Where workers' time goes",
            "Seconds a second, all workers together. Scoring runs beside prefill; `stream` is "
            "waiting for the metrics service.",
            "none",
            [
                query(
                    f"sum by (phase) (rate(kvscope_inference_phase_seconds_sum{RATE}))", "{{phase}}"
                )
            ],
            stacked=True,
        ),
        series(
            "A passage's phases, 95th percentile",
            "With all its presses, ratios and questions.",
            "s",
            [
                query(
                    quantile(0.95, "kvscope_inference_phase_seconds", "phase"),
                    "{{phase}}",
                )
            ],
        ),
        series(
            "Tokens",
            "Context tokens prefilled, answer tokens generated.",
            "ops",
            [query("kind:kvscope_inference_tokens:rate5m", "{{kind}}")],
        ),
        series(
            "Speed of products",
            "Of prefill's and decode's time: products with weights against a large product's speed "
            "on that machine. The rest is attention, norms and small products.",
            "percentunit",
            [
                query(
                    "instance_dtype:kvscope_inference_gemm:utilization_rate5m > 0",
                    "{{instance}} {{dtype}}",
                )
            ],
            thresholds(RED, (0.05, YELLOW), (0.3, GREEN)),
        ),
        series(
            "Speed of reading weights",
            "Of decode's time: bytes of weights read against the memory's speed. Small weights "
            "stay in the processor's caches: then it may be above 100 %.",
            "percentunit",
            [query("instance:kvscope_inference_memory:utilization_rate5m", "{{instance}}")],
        ),
        series(
            "KV bytes kept",
            "Share of keys and values that the cells computed now keep.",
            "percentunit",
            [query("kvscope:kv_kept:ratio_rate5m", "kept")],
            top=1,
        ),
        series(
            "KV and mask bytes",
            "Of all cells: what an uncompressed cache each would take, what they keep, and the "
            "keep sets that stand for it.",
            "Bps",
            [
                query(f"sum(rate(kvscope_inference_kv_full_bytes_total{RATE}))", "full"),
                query(f"sum(rate(kvscope_inference_kv_kept_bytes_total{RATE}))", "kept"),
                query(f"sum(rate(kvscope_inference_mask_bytes_total{RATE}))", "masks"),
            ],
        ),
        series(
            "Shared context cache",
            "The one cache of the passage evaluated last, which all its cells share.",
            "bytes",
            [query("kvscope_inference_cache_bytes", "{{instance}}")],
        ),
        series(
            "Metrics service",
            "Time that it spends on a passage, and passages it has in hand.",
            "s",
            [
                query(quantile(0.95, "kvscope_metrics_passage_seconds", "job"), "95th percentile"),
                query(quantile(0.5, "kvscope_metrics_passage_seconds", "job"), "median"),
            ],
        ),
    ]
    store = [
        series(
            "Commits",
            "Time until a write transaction is on disk.",
            "s",
            [
                query(quantile(0.5, "kvscope_store_commit_seconds", "job"), "median"),
                query("instance:kvscope_store_commit_seconds:p99_rate5m", "99th percentile"),
            ],
            thresholds(GREEN, (0.5, RED)),
        ),
        series(
            "Size on disk",
            "The database and its write-ahead log.",
            "bytes",
            [
                query("sum(kvscope_store_database_bytes)", "database"),
                query("sum(kvscope_store_wal_bytes)", "write-ahead log"),
            ],
        ),
        series(
            "Commits that failed",
            "The disk is full, read-only or damaged.",
            "ops",
            [query(f"sum(rate(kvscope_store_commits_failed_total{RATE}))", "failed")],
            thresholds(GREEN, (0.01, RED)),
        ),
    ]
    calls = [
        series(
            "Calls",
            "By method.",
            "reqps",
            [query(f"sum by (method) (rate(kvscope_rpc_calls_total{RATE})) > 0", "{{method}}")],
        ),
        series(
            "Time of unary calls, 99th percentile",
            "By method.",
            "s",
            [query("service_method:kvscope_rpc_call_seconds:p99_rate5m", "{{method}}")],
            thresholds(GREEN, (2.5, RED)),
        ),
        series(
            "Calls by code",
            "",
            "reqps",
            [query(f"sum by (code) (rate(kvscope_rpc_calls_total{RATE})) > 0", "{{code}}")],
        ),
        series(
            "Calls that failed for our reasons",
            "Share with a code that lies with the server.",
            "percentunit",
            [query("service_method:kvscope_rpc_errors:ratio_rate5m", "{{method}}")],
            thresholds(GREEN, (0.05, RED)),
        ),
        series(
            "Open calls",
            "Streams, mostly: one a worker, one a watcher, one a unit that is being measured.",
            "none",
            [query("sum by (method) (kvscope_rpc_calls_running)", "{{method}}")],
        ),
        series(
            "Callers refused",
            "For want of a token or a role.",
            "reqps",
            [
                query(
                    "sum by (service) (rate(kvscope_rpc_calls_total{"
                    f'code=~"PERMISSION_DENIED|UNAUTHENTICATED"}}{RATE}))',
                    "{{service}}",
                )
            ],
            thresholds(GREEN, (0.1, RED)),
        ),
    ]
    processes = [
        series(
            "Processors in use",
            "",
            "none",
            [
                query(
                    f'rate(process_cpu_seconds_total{{job=~"kvscope-.*"}}{RATE})',
                    "{{job}} {{instance}}",
                )
            ],
        ),
        series(
            "Resident memory",
            "",
            "bytes",
            [query('process_resident_memory_bytes{job=~"kvscope-.*"}', "{{job}} {{instance}}")],
        ),
        series(
            "Open files",
            "Of those that may be open.",
            "percentunit",
            [
                query(
                    'process_open_fds{job=~"kvscope-.*"} / process_max_fds', "{{job}} {{instance}}"
                )
            ],
            thresholds(GREEN, (0.8, RED)),
        ),
        table(
            "What runs",
            "Every process that Prometheus reaches, with its version and how long it has run.",
            "s",
            [
                (
                    "running for",
                    "time() - process_start_time_seconds * on (instance, job) group_left (version)"
                    " kvscope_build_info",
                )
            ],
        ),
    ]
    return dashboard(
        "kvscope-cluster",
        "KVScope cluster",
        "Queue, workers, store, calls and processes of a KVScope cluster.",
        [
            ("Now", now),
            ("Queue", queue),
            ("Work", work),
            ("Store", store),
            ("Calls", calls),
            ("Processes", processes),
        ],
    )


def sweeps():
    chosen = 'sweep=~"$sweep"'
    named = f" * on (sweep) group_left (name) {NAMES}"
    left = (
        f'sum by (sweep) (kvscope_sweep_streams{{{chosen},state="open"}})'
        f' / (sum by (sweep) (deriv(kvscope_sweep_streams{{{chosen},state="done"}}[5m])) > 0)'
    )
    progress = [
        table(
            "Sweeps",
            "The most recent sweeps that the orchestrator knows.",
            "percentunit",
            [
                ("", f"max by (sweep, name, model, state) (kvscope_sweep_info{{{chosen}}})"),
                ("done", f"sweep:kvscope_sweep_streams:done_ratio{{{chosen}}}"),
            ],
            thresholds(YELLOW, (1, GREEN)),
        ),
        bars(
            "Done",
            "Share of answers (press x ratio x question) that are recorded.",
            "percentunit",
            f"sweep:kvscope_sweep_streams:done_ratio{{{chosen}}}{named}",
            "{{name}}",
            thresholds(YELLOW, (1, GREEN)),
            width=12,
        ),
        series(
            "Time left",
            "At the pace of the last five minutes.",
            "s",
            [query(f"({left}){named}", "{{name}}")],
            width=12,
        ),
    ]
    detail = [
        series(
            "Answers",
            "A second, over the last five minutes.",
            "ops",
            [
                query(
                    "sum by (sweep) (deriv(kvscope_sweep_streams{"
                    f'{chosen},state="done"}}[5m])){named}',
                    "{{name}}",
                )
            ],
        ),
        series(
            "Units",
            "By state; failed ones were set aside after three attempts.",
            "none",
            [query(f"sum by (state) (kvscope_sweep_units{{{chosen}}})", "{{state}}")],
            stacked=True,
        ),
        series(
            "Cells",
            "Points of the grid by state. A cell is done when every passage of its data set is.",
            "none",
            [query(f"sum by (state) (kvscope_sweep_cells{{{chosen}}})", "{{state}}")],
            stacked=True,
        ),
        bars(
            "Units set aside",
            "The sweep goes on without them; `kvscope sweeps show` has their errors.",
            "none",
            f'sum by (sweep) (kvscope_sweep_units{{{chosen},state="failed"}}){named}',
            "{{name}}",
            thresholds(GREEN, (1, RED)),
            width=24,
            height=5,
            top=10,
        ),
    ]
    return dashboard(
        "kvscope-sweeps",
        "KVScope sweeps",
        "How far each sweep is.",
        [("Progress", progress), ("In detail", detail)],
        [variable("sweep", "Sweep", "kvscope_sweep_info", multi=True)],
    )


def physics():
    def point(metric):
        return f'max by (press, ratio) ({metric}{{sweep=~"$sweep"}})'

    ratio = ("compression ratio", point("kvscope_sweep_compression_ratio"))
    ger = ("GER", point("kvscope_sweep_ger_ratio"))
    hallucination = ("hallucination", point("kvscope_sweep_hallucination_ratio"))
    f1 = ("F1", point("kvscope_sweep_f1_ratio"))
    kept = ("kept", point("kvscope_sweep_kept_ratio"))
    of = (
        "Of the last finished slice (model, data set, regime) of the sweep, named below; while "
        "none is finished, of the answers so far."
    )
    curves = [
        scatter(
            "GER against hallucination",
            "How hallucination rises as answer tokens are evicted everywhere. " + of,
            ger,
            hallucination,
            "press",
            "percentunit",
        ),
        scatter(
            "The cliff: F1 against compression",
            "Where answers break, by press. " + of,
            ratio,
            f1,
            "press",
            "percentunit",
        ),
        scatter(
            "GER against compression",
            "When answer tokens begin to be lost in every head. " + of,
            ratio,
            ger,
            "press",
            "percentunit",
        ),
        scatter(
            "Hallucination against compression",
            "Share of answers that are made up. " + of,
            ratio,
            hallucination,
            "press",
            "percentunit",
        ),
    ]
    numbers = [
        bars(
            "Safe compression",
            "The largest ratio that keeps nine tenths of the F1 of the uncompressed cache; needs "
            "ratio 0 in the sweep. A first look: the report has the bounds.",
            "percentunit",
            'max by (press) (sweep_press:kvscope_sweep_safe_compression:max{sweep=~"$sweep"})',
            "{{press}}",
            thresholds(RED, (0.3, YELLOW), (0.6, GREEN)),
            width=12,
        ),
        table(
            "Slice",
            "What the numbers on this page are of.",
            "none",
            [("", 'max by (model, dataset, regime) (kvscope_sweep_slice_info{sweep=~"$sweep"})')],
            width=12,
        ),
        table(
            "Points",
            "One row a press and ratio. " + of,
            "percentunit",
            [f1, hallucination, ger, kept],
            height=12,
        ),
        series(
            "F1 over time",
            "A point moves while passages are still being computed. " + of,
            "percentunit",
            [
                query(
                    'max by (press, ratio) (kvscope_sweep_f1_ratio{sweep=~"$sweep"})',
                    "{{press}} {{ratio}}",
                )
            ],
            width=24,
            top=1,
        ),
    ]
    return dashboard(
        "kvscope-physics",
        "KVScope compression physics",
        "What compression does to answers: GER against hallucination, and the cliff.",
        [("Curves", curves), ("Numbers", numbers)],
        [variable("sweep", "Sweep", "kvscope_sweep_info", multi=False)],
    )


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    boards = {"cluster": cluster(), "sweeps": sweeps(), "physics": physics()}
    stale = {path.name for path in FOLDER.glob("*.json")} - {f"{name}.json" for name in boards}
    for name, board in boards.items():
        path, text = FOLDER / f"{name}.json", json.dumps(board, indent=2) + "\n"
        if not check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.add(path.name)
    if check and stale:
        sys.exit(f"not what make_dashboards.py writes: {', '.join(sorted(stale))}")


if __name__ == "__main__":
    main()
