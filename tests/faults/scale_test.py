#!/usr/bin/env python3
"""64 workers on a sweep of 100,000 cells: every unit is computed once and recorded once, and nobody
ever finds the database locked.

The workers are simulated, their gRPC streams, the orchestrator's process and its store are real
(tests/bench/orchestrator/store_scale.cc). One answer a cell: this is about the many, not the much.

usage: KVSCOPE_SOURCE=. KVSCOPE_BIN=build/release/bin scale_test.py
"""

import json
import tempfile
import unittest

from cluster import BIN, run

WORKERS, CELLS = 64, 100_000


class Scale(unittest.TestCase):
    def test_many_workers_and_many_cells(self):
        with tempfile.TemporaryDirectory(prefix="kvscope-faults-") as folder:
            grid = ("--passages", 1, "--questions", 1, "--workers", WORKERS)
            phases = ("--phase", "fill", "--phase", "workers")
            told = json.loads(run(BIN / "store_scale", *grid, *phases, "--dir", folder, "--json"))
        work = told["workers"]
        self.assertEqual(told["cells"], CELLS)
        self.assertEqual(work["state"], "SUCCEEDED")
        self.assertGreater(work["units"], WORKERS)
        self.assertEqual(work["units_accepted"], work["units"])
        self.assertEqual(work["errors"], 0, work["error_examples"])
        for fault in ("units_twice", "units_unsound", "orchestrator_errors", "database_is_locked"):
            self.assertEqual(work[fault], 0, fault)
        self.assertEqual(work["orchestrator"]["exit_code"], 0)
        print(
            f"{WORKERS} workers, {told['cells']} cells: {work['units']} units in "
            f"{work['seconds']:.1f} s, {work['units_twice']} twice, {work['units_unsound']} lost "
            f"or tried again, {work['database_is_locked']} times 'database is locked', dispatch "
            f"median {work['dispatch_ms']['p50']:.1f} ms"
        )


if __name__ == "__main__":
    unittest.main(verbosity=2)
