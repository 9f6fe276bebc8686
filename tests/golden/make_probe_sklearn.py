#!/usr/bin/env python3
"""Writes metrics/probe_sklearn.{json,safetensors}: probes as scikit-learn fits and scores them.

    python tests/golden/make_probe_sklearn.py            # scikit-learn 1.9.1
    python tests/golden/make_probe_sklearn.py --check    # compares instead of writing

Five tags of unequal frequency, whose features overlap and share the noise of their passage; the
validation rows are of other passages than the training rows. LogisticRegression's C is
1 / (l2 rows): then its optimum is that of mean cross entropy + l2 / 2 |W|^2.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.preprocessing import StandardScaler

OUT = pathlib.Path(__file__).resolve().parent / "metrics"
TAGS = ["Creature", "Dates/Times", "Events", "Location", "Person"]
SHARES = [0.08, 0.3, 0.12, 0.2, 0.3]
PASSAGES, QUESTIONS, WIDTH = 60, 7, 24
L2 = [0.001, 0.01, 0.2]
SMALLEST_MARGIN = 1e-4  # between the two largest logits: predictions must not hang on rounding


def make_rows():
    rng = np.random.default_rng(20260301)
    rows = PASSAGES * QUESTIONS
    tags = rng.choice(len(TAGS), size=rows, p=SHARES)
    passages = np.repeat(np.arange(PASSAGES), QUESTIONS)
    centers = rng.normal(size=(len(TAGS), WIDTH))
    mixing = rng.normal(size=(WIDTH, WIDTH)) / np.sqrt(WIDTH)
    noise = 1.2 * rng.normal(size=(rows, WIDTH)) + rng.normal(size=(PASSAGES, WIDTH))[passages]
    features = (0.9 * centers[tags] + noise) @ mixing
    # As hidden states are: some features far from 0, some tiny, one constant.
    features = features * 10.0 ** rng.uniform(-3, 2, size=WIDTH) + rng.normal(size=WIDTH) * 30
    features[:, 5] = 2.5
    return features.astype(np.float32), tags, passages


def fit(features, tags, train, validation, l2):
    scaler = StandardScaler().fit(features[train].astype(np.float64))
    x = scaler.transform(features.astype(np.float64))
    # Newton's steps end at the optimum itself; scikit-learn's L-BFGS stops a little before.
    model = LogisticRegression(C=1 / (l2 * len(train)), solver="newton-cholesky", tol=1e-12)
    model.fit(x[train], tags[train])
    logits = np.sort(model.decision_function(x[validation]), axis=1)
    margin = float((logits[:, -1] - logits[:, -2]).min())
    if margin < SMALLEST_MARGIN:
        sys.exit(f"l2 {l2}: a prediction hangs on a margin of {margin}; take another seed")
    predicted = model.predict(x[validation])
    labels = range(len(TAGS))
    return {
        "l2": l2,
        "predictions": predicted.tolist(),
        "macro_f1": float(f1_score(tags[validation], predicted, average="macro")),
        "f1": f1_score(tags[validation], predicted, average=None, labels=labels).tolist(),
        "coef": model.coef_.tolist(),
        "intercept": (model.intercept_ - model.intercept_.mean()).tolist(),
    }


def make():
    features, tags, passages = make_rows()
    splitter = GroupShuffleSplit(n_splits=1, test_size=0.3, random_state=4)
    train, validation = next(splitter.split(features, tags, groups=passages))
    golden = {
        "tags": TAGS,
        "rows": [{"tag": int(t), "passage": f"p{p}"} for t, p in zip(tags, passages)],
        "train": train.tolist(),
        "validation": validation.tolist(),
        "fits": [fit(features, tags, train, validation, l2) for l2 in L2],
    }
    return golden, {"features": features}


def differences(golden, tensors):
    """What is stored and not as computed now, up to what solvers and machines may differ by."""
    stored = json.loads((OUT / "probe_sklearn.json").read_text())
    if not np.array_equal(load_file(OUT / "probe_sklearn.safetensors")["features"],
                          tensors["features"]):
        yield "features"
    for name in ("tags", "rows", "train", "validation"):
        if stored[name] != golden[name]:
            yield name
    for old, new in zip(stored["fits"], golden["fits"], strict=True):
        for name, value in new.items():
            if not np.allclose(old[name], value, rtol=0, atol=1e-6):
                yield f"{name} at l2 {new['l2']}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    golden, tensors = make()
    if args.check:
        if found := list(differences(golden, tensors)):
            sys.exit(f"not what this script computes now: {', '.join(found)}")
        return
    (OUT / "probe_sklearn.json").write_text(json.dumps(golden, indent=0) + "\n")
    save_file(tensors, OUT / "probe_sklearn.safetensors")


if __name__ == "__main__":
    main()
