#!/usr/bin/env python3
"""What the package's README and its notebook show is run as it stands.

usage: KVSCOPE=build/release/bin/kvscope KVSCOPE_SOURCE=. documents_test.py Readme|Notebook
"""

import environment

NOTEBOOK = ("nbclient==0.11.0", "ipykernel==7.4.0", "matplotlib")

environment.enter("documents", environment.CLIENT + NOTEBOOK)

import contextlib  # noqa: E402
import io  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import sys  # noqa: E402
import unittest  # noqa: E402

from cluster import KVSCOPE, MODELS, SOURCE, Serve  # noqa: E402

PACKAGE = SOURCE / "services" / "client" / "python"
sys.path.insert(0, str(PACKAGE))


class Readme(unittest.TestCase):
    def test_its_examples_run(self):
        blocks = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.S)
        self.assertEqual(len(blocks), 3)
        said = io.StringIO()
        with Serve() as serve, contextlib.redirect_stdout(said):
            names = {"__name__": "readme"}
            for block in blocks:
                self.assertTrue("127.0.0.1:7400" in block or "Client(" not in block)
                exec(block.replace("127.0.0.1:7400", serve.address), names)  # noqa: S102
            names["client"].close()
        self.assertEqual(set(names["cells"].press), {"snapkv(window_size=8)", "random"})
        self.assertEqual(len(names["answers"]), 2 * 3)
        self.assertIn("succeeded 6 of 6", said.getvalue())
        self.assertIn("snapkv(window_size=8)", said.getvalue())

    def test_what_it_names_is_there(self):
        text = (PACKAGE / "README.md").read_text()
        for link in re.findall(r"\]\(([^)]+)\)", text):
            self.assertTrue((PACKAGE / link).exists(), link)
        import kvscope

        for name in set(re.findall(r"kvscope\.([A-Z]\w+)|`(\w+Error)`", text)):
            self.assertTrue(hasattr(kvscope, name[0] or name[1]), name)


class Notebook(unittest.TestCase):
    def test_it_runs(self):
        import nbclient
        import nbformat

        path = PACKAGE / "examples" / "compression.ipynb"
        notebook = nbformat.read(path, as_version=4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        self.assertTrue(all(not cell.outputs for cell in code), "it is committed without outputs")
        with Serve() as serve:
            os.environ.update(
                KVSCOPE=str(KVSCOPE), KVSCOPE_ADDRESS=serve.address, PYTHONPATH=str(PACKAGE)
            )
            nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
        kinds = [set().union(*(o.get("data", {}) for o in cell.outputs)) for cell in code]
        self.assertIn("text/html", kinds[1])  # the bar
        bar = next(o for o in code[1].outputs if "text/html" in o.get("data", {}))
        self.assertIn('<progress value="1.0000"', bar.data["text/html"])
        self.assertIn("100 %", bar.data["text/html"])
        self.assertIn("text/html", kinds[2])  # the table
        self.assertIn("image/png", kinds[3])
        self.assertIn("image/png", kinds[4])
        said = [o for cell in code for o in cell.outputs if o.get("name") == "stderr"]
        self.assertEqual(said, [])


if __name__ == "__main__":
    assert MODELS.is_dir()
    unittest.main()
