"""What a cluster says of its sweeps, through the command line."""

import json
import os
import pathlib
import subprocess
import time

KVSCOPE = pathlib.Path(os.environ["KVSCOPE_BIN"], "kvscope")


def kvscope(*arguments):
    """The command line's stdout."""
    command = [str(KVSCOPE), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def only_sweep(address):
    """The cluster's one sweep; None while there is none."""
    lines = kvscope("sweeps", "list", "--json", "--connect", address).splitlines()
    return json.loads(lines[0]) if lines else None


def units_done(sweep):
    return int((sweep or {}).get("progress", {}).get("units_done", 0))


def wait_for_units(address, count, submitted, seconds=300):
    """Waits until `count` units are recorded; returns how many. `submitted` is the program that
    watches the sweep: it must still run."""
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        if submitted.poll() is not None:
            raise AssertionError("the sweep ended before anything could happen to it")
        done = units_done(only_sweep(address))
        if done >= count:
            return done
        time.sleep(0.1)
    raise AssertionError(f"no {count} units were recorded within {seconds} s")
