#!/usr/bin/env python3
"""The Python package as such: its messages, its types, and that it installs.

usage: KVSCOPE_SOURCE=. package_test.py Messages|Types|Installs
"""

import environment

TOOLS = (
    "mypy==2.4.1",
    "types-grpcio==1.85.0.20261028",
    "types-protobuf==7.35.1.20260906",
    "types-PyYAML==6.0.12.20261122",
    "types-tqdm==4.70.0.20261106",
    "pandas-stubs==3.1.0.261029",
)

import os  # noqa: E402
import pathlib  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import unittest  # noqa: E402

SOURCE = pathlib.Path(os.environ["KVSCOPE_SOURCE"]).resolve()
PACKAGE = SOURCE / "services" / "client" / "python"


class WithFolder(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def run_well(self, *command, **options):
        run = subprocess.run(command, capture_output=True, text=True, **options)
        self.assertEqual(run.returncode, 0, f"{command}\n{run.stdout}\n{run.stderr}")
        return run.stdout


class Messages(WithFolder):
    def test_they_are_what_the_protos_say(self):
        self.run_well(SOURCE / "scripts" / "generate-python", self.dir)
        fresh = {file.name for file in (self.dir / "kvscope" / "v1").iterdir()}
        kept = {file.name for file in (PACKAGE / "kvscope" / "v1").glob("*_pb2.*")}
        self.assertEqual(fresh, kept)
        for name in sorted(fresh):
            self.assertEqual(
                (self.dir / "kvscope" / "v1" / name).read_text(),
                (PACKAGE / "kvscope" / "v1" / name).read_text(),
                f"{name} is not of proto/ as it stands: run scripts/generate-python",
            )


class Types(WithFolder):
    def test_mypy_strict(self):
        python = environment.make("types", environment.CLIENT + TOOLS)
        self.run_well(python, "-m", "mypy", "--cache-dir", self.dir, cwd=PACKAGE)
        user = self.dir / "user.py"  # a user's program sees the types
        user.write_text(
            "import kvscope\n"
            "reveal_type(kvscope.Client().submit('a').results().to_pandas())\n"
            "async def f() -> None:\n"
            "    async with kvscope.AsyncClient() as client:\n"
            "        reveal_type((await (await client.submit('a')).wait()).progress.fraction)\n"
        )
        (self.dir / "mypy.ini").write_text(
            "[mypy]\nstrict = True\n[mypy-kvscope.*]\nignore_errors = True\n"  # as if installed
        )
        told = self.run_well(
            python, "-m", "mypy", "--cache-dir", self.dir, user,
            cwd=self.dir, env={**os.environ, "MYPYPATH": str(PACKAGE)},
        )  # fmt: skip
        self.assertRegex(told, r'Revealed type is "pandas[\w.]*\.DataFrame"')
        self.assertRegex(told, r'Revealed type is "(builtins\.)?float"')

    def test_calls_are_retried_where_the_proto_says_so(self):
        environment.enter("client", environment.CLIENT)
        sys.path.insert(0, str(PACKAGE))
        from kvscope import connection

        proto = (SOURCE / "proto" / "kvscope" / "v1" / "orchestrator.proto").read_text()
        said = {}
        for comment, name in re.findall(r"((?:  //.*\n)+)  rpc (\w+)\(", proto):
            said[name] = "may be retried" in re.sub(r"\s+//\s+", " ", comment).lower()
        methods = [v for v in vars(connection).values() if isinstance(v, connection.Method)]
        self.assertEqual(said, {method.name: method.may_be_retried for method in methods})


class Installs(WithFolder):
    def works(self, python):
        """Imports what a user does, in a folder without the source."""
        program = (
            "import kvscope, kvscope.client, kvscope.aio, importlib.resources\n"
            "assert importlib.resources.files('kvscope').joinpath('py.typed').is_file()\n"
            "assert importlib.resources.files('kvscope.v1').joinpath('sweep_pb2.pyi').is_file()\n"
            "try:\n"
            "    kvscope.Client('127.0.0.1:9', connect_timeout=0.3).sweep('x')\n"
            "except kvscope.UnavailableError as error:\n"
            "    print(error)\n"
        )
        self.assertIn(
            "no server answers at 127.0.0.1:9", self.run_well(python, "-c", program, cwd=self.dir)
        )
        self.run_well(python.parent / "kvscope-figures", "--help")

    def test_from_a_clone_and_from_an_sdist(self):
        clone = self.dir / "clone"  # as committed or to be: without what a build left behind
        listed = self.run_well("git", "ls-files", "-co", "--exclude-standard", ".", cwd=PACKAGE)
        for name in listed.splitlines():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PACKAGE / name, clone / name)
        self.run_well(sys.executable, "-m", "venv", self.dir / "venv")
        python = self.dir / "venv" / "bin" / "python"
        environment.install(python, str(clone), "setuptools")
        self.works(python)

        self.run_well(python, "-m", "pip", "uninstall", "-q", "-y", "kvscope")
        build = (
            f"from setuptools import build_meta; print(build_meta.build_sdist({str(self.dir)!r}))"
        )
        name = self.run_well(python, "-c", build, cwd=clone).splitlines()[-1]
        environment.install(python, "--no-deps", str(self.dir / name))
        self.works(python)

    def test_the_oldest_packages_that_it_allows(self):
        text = (PACKAGE / "pyproject.toml").read_text()
        floors = dict(re.findall(r'^  "([\w-]+)>=([\d.]+)"', text, re.M))
        self.assertLessEqual({"grpcio", "protobuf", "googleapis-common-protos"}, set(floors))
        del floors["pandas"]  # which is not needed to import the client
        python = environment.make("floor", tuple(f"{name}=={v}" for name, v in floors.items()))
        program = "import kvscope.client, kvscope.aio\n"
        self.run_well(python, "-c", program, env={**os.environ, "PYTHONPATH": str(PACKAGE)})


if __name__ == "__main__":
    unittest.main()
