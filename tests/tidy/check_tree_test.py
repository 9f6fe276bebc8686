#!/usr/bin/env python3
"""Plants one breach of each rule of check_tree.py in a small tree and demands that it is found."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK = pathlib.Path(__file__).with_name("check_tree.py")
SOUND = {
    "services/inference/flow/row.h": "#pragma once\n",
    "services/inference/flow/row.cc": '#include "services/inference/flow/row.h"\n',
    "services/inference/flow/CMakeLists.txt": "kvscope_library(flow SOURCES row.cc)\n",
    "services/inference/scorers/knorm.cc": '#include "services/inference/flow/row.h"\n',
    "services/inference/scorers/registry.cc": "kKnorm\n",
    "services/inference/scorers/CMakeLists.txt": "lib(s SOURCES knorm.cc registry.cc)\n",
    "tests/CMakeLists.txt": "kvscope_test(t SOURCES knorm_test.cc)\n",
    "tests/knorm_test.cc": "// knorm\n",
}


def findings(changes):
    with tempfile.TemporaryDirectory() as root:
        for name, text in {**SOUND, **changes}.items():
            path = pathlib.Path(root) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        run = subprocess.run([sys.executable, str(CHECK), root], capture_output=True, text=True)
        return run.returncode, run.stdout


class Planted(unittest.TestCase):
    def expect(self, changes, words):
        code, out = findings(changes)
        self.assertEqual(code, 1, out)
        self.assertIn(words, out)

    def test_sound_tree_passes(self):
        self.assertEqual(findings({})[0], 0, findings({})[1])

    def test_include_against_the_diagram(self):
        self.expect(
            {
                "services/inference/flow/row.cc": '#include "services/inference/scorers/scorer.h"\n'
            },
            "the diagram does not allow",
        )

    def test_services_never_include_each_other(self):
        self.expect(
            {
                "services/inference/flow/row.cc": '#include "services/metrics/survival/keep.h"\n'
            },
            "the diagram does not allow",
        )

    def test_grpc_below_the_edge(self):
        self.expect(
            {"services/inference/flow/row.cc": "#include <grpcpp/grpcpp.h>\n"}, "Protobuf or gRPC"
        )

    def test_call_without_a_deadline(self):
        self.expect(
            {
                "services/inference/flow/row.cc": "void f() {\n  grpc::ClientContext context;\n}\n"
            },
            "row.cc:2: a ClientContext without a deadline",
        )

    def test_banned_name(self):
        self.expect({"services/inference/flow/util.h": ""}, "banned name")

    def test_long_line(self):
        self.expect({"services/inference/flow/row.h": "/" * 101 + "\n"}, "101 columns")

    def test_file_that_no_target_builds(self):
        self.expect({"services/inference/flow/lost.cc": ""}, "no target builds it")

    def test_extension_without_registry_entry(self):
        self.expect(
            {"services/inference/scorers/registry.cc": "\n"}, "not in services/inference/scorers"
        )

    def test_extension_without_test(self):
        self.expect({"tests/knorm_test.cc": "\n"}, "no test names it")

    def test_folder_outside_the_diagram(self):
        self.expect({"services/other/x.h": ""}, "no folder of the dependency diagram")


if __name__ == "__main__":
    unittest.main()
