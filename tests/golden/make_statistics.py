#!/usr/bin/env python3
"""Writes metrics/statistics.json: what scipy and statsmodels give for ranks, correlations with
intervals, Holm's correction, sign-flip permutation tests, isotonic fits and t quantiles.

usage: make_statistics.py [--check]     needs numpy, scipy 1.17, statsmodels 0.15
"""

import json
import pathlib
import sys

import numpy as np
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests

FILE = pathlib.Path(__file__).parent / "metrics" / "statistics.json"


def correlations(rng):
    cases = []
    for n, levels in [(4, None), (7, 3), (12, None), (40, 5), (200, 2), (60, None)]:
        x = rng.normal(size=n)
        y = 0.6 * x + rng.normal(size=n)
        if levels:  # ties
            x, y = (np.floor(np.clip((v + 2) / 4, 0, 0.999) * levels) for v in (x, y))
        x, y = np.round(x, 4), np.round(y, 4)
        pearson = stats.pearsonr(x, y)
        interval = pearson.confidence_interval(0.95)
        cases.append(
            {
                "x": x.tolist(),
                "y": y.tolist(),
                "ranks_x": stats.rankdata(x).tolist(),
                "pearson": pearson.statistic,
                "pearson_low": interval.low,
                "pearson_high": interval.high,
                "spearman": stats.spearmanr(x, y).statistic,
            }
        )
    return cases


def holm(rng):
    many = rng.uniform(0, 0.05, 12).round(5).tolist()
    lists = [[0.01, 0.04, 0.03, 0.005], [0.5], [0.2, 0.2, 0.9], many]
    return [{"p": p, "adjusted": multipletests(p, method="holm")[1].tolist()} for p in lists]


def sign_flips(rng):
    """Exact: scipy tries every sign pattern of up to 12 differences."""
    cases = []
    for n, shift in [(2, 1), (6, 0.5), (10, 0.4), (12, 0), (11, 1.0)]:
        d = np.round(rng.normal(shift, 1, n), 3)
        if n == 11:
            d = np.sign(d)  # ties of the statistic
        result = stats.permutation_test(
            (d,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
        )
        sums = [
            sum(v if (pattern >> i) & 1 else -v for i, v in enumerate(d)) for pattern in range(2**n)
        ]
        p = np.mean(np.abs(sums) >= abs(d.sum()) - 1e-9)
        assert abs(p - result.pvalue) < 1e-12, (p, result.pvalue)
        cases.append({"differences": d.tolist(), "p": float(p)})
    return cases


def isotonic(rng):
    cases = []
    for n in (1, 5, 11):
        y, w = np.round(rng.normal(size=n) + np.arange(n) / 4, 3), rng.integers(1, 9, n)
        fit = optimize.isotonic_regression(y, weights=w).x
        cases.append({"y": y.tolist(), "weights": w.tolist(), "fit": fit.tolist()})
    return cases


def quantiles():
    return [
        {"p": p, "df": df, "t": float(stats.t.ppf(p, df))}
        for p in (0.6, 0.8, 0.95, 0.975, 0.9999)
        for df in (1, 2, 9, 29, 99, 5000)
    ]


def make():
    rng = np.random.default_rng(6)
    return {
        "correlations": correlations(rng),
        "holm": holm(rng),
        "sign_flips": sign_flips(rng),
        "isotonic": isotonic(rng),
        "student": quantiles(),
    }


def close(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(close, a, b))
    return abs(a - b) <= 1e-9 * max(1, abs(a))


def main():
    made = make()
    if "--check" in sys.argv[1:]:
        same = close(made, json.loads(FILE.read_text()))
        print("statistics.json is what scipy gives" if same else "statistics.json differs")
        return 0 if same else 1
    FILE.write_text(json.dumps(made) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
