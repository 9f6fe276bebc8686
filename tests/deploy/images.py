"""What docker/Dockerfile says of its stages, and the programs of their flags."""

import os
import pathlib
import re
import subprocess

SOURCE = pathlib.Path(os.environ["KVSCOPE_SOURCE"])
DOCKERFILE = (SOURCE / "docker/Dockerfile").read_text()
# Image -> the program it runs.
PROGRAMS = {
    "kvscope-orchestrator": "kvscope-orchestrator",
    "kvscope-metrics": "kvscope-metrics",
    "kvscope-worker": "kvscope-inference",
    "kvscope-worker-cuda": "kvscope-inference",
}


def stages():
    """Stage -> what it is built from."""
    return {name: source for source, name in re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.M)}


def stage_of(image):
    return image.removeprefix("kvscope-")


def variables_of(stage):
    """The variables that a stage and those below it set."""
    source = stages()[stage]
    variables = variables_of(source) if source in stages() else {}
    body = re.search(rf"^FROM \S+ AS {stage}$(.*?)(?=^FROM |\Z)", DOCKERFILE, re.M | re.S).group(1)
    for block in re.findall(r"^ENV ((?:.*\\\n)*.*)$", body, re.M):
        variables |= dict(re.findall(r"(\w+)=(\S+)", block))
    return variables


def variables_read_by(image):
    """The variables that the image's real program reads: one a flag of its --help."""
    binary = pathlib.Path(os.environ["KVSCOPE_BIN"], PROGRAMS[image])
    text = subprocess.run([binary, "--help"], capture_output=True, text=True, check=True).stdout
    flags = re.findall(r"--([a-z][a-z-]+)", text)
    return {"KVSCOPE_" + flag.upper().replace("-", "_") for flag in flags}


def version():
    text = (SOURCE / "CMakeLists.txt").read_text()
    return re.search(r"project\(kvscope VERSION (\S+)", text).group(1).rstrip(")")
