"""A double of HTCondor on one machine: condor_submit, condor_rm and condor_q, by the name that it is called by.

It takes what dask-jobqueue and dask-lxplus write into a submit description, and is as strict as the real one about
what a job gets: nothing of the environment but what ``getenv`` names, and a working folder of its own. A job that
has ended stays in the queue until it is removed, as with ``condor_submit -spool``. ``$CONDOR_DOUBLE`` is its folder;
a file ``broken`` in there lets condor_submit fail.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

FOLDER = Path(os.environ.get("CONDOR_DOUBLE", "."))
RUNNING, COMPLETED = 2, 4


def submit(*arguments: str) -> None:
    """``condor_submit [-spool] FILE``."""
    if (FOLDER / "broken").exists():
        sys.exit("ERROR: Can't find address of local schedd")
    text = Path(arguments[-1]).read_text()
    job = dict(re.findall(r"^([\w.]+) *= *(.*?) *$", text, re.M))
    number = next(n for n in range(1, 10_000) if claimed(FOLDER / f"{n}.sub", text))
    if os.fork():
        print(f"Submitting job(s).\n1 job(s) submitted to cluster {number}.")
        return
    os.setsid()  # from here on it is the queue, which ends with the job
    for stream in (sys.stdout, sys.stderr):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    place = FOLDER / str(number)
    place.mkdir()
    with open(place / "said", "wb") as said:
        process = subprocess.Popen(
            [job["Executable"], *unquoted(job["Arguments"])],
            cwd=place,
            env=environment(job.get("getenv", "false")),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    note(number, job, process.pid, RUNNING)
    code = process.wait()
    if (FOLDER / f"{number}.json").exists():
        note(number, job, process.pid, COMPLETED, code)


def claimed(file: Path, text: str) -> bool:
    """Is the number of a job ours? Several are submitted at once."""
    try:
        with open(file, "x") as stream:
            stream.write(text)
    except FileExistsError:
        return False
    return True


def note(number: int, job: dict[str, str], process: int, status: int, code: int | None = None) -> None:
    """Write down a job where the other commands find it."""
    file = FOLDER / f"{number}.json"
    unfinished = file.with_suffix(".new")
    unfinished.write_text(json.dumps({"job": job, "process": process, "status": status, "code": code}))
    unfinished.rename(file)


def unquoted(text: str) -> list[str]:
    """The arguments of a job: in double quotes, where ' ' holds together, and '' and "" are a quote."""
    assert text[0] == text[-1] == '"'
    inside = text[1:-1].replace('""', '"')
    return [
        part[1:-1].replace("''", "'") if part[0] == "'" else part
        for part in re.findall(r"'(?:[^']|'')*'|[^ ']+", inside)
    ]


def environment(getenv: str) -> dict[str, str]:
    """What a job gets of the environment."""
    if getenv.lower() in ("true", "false"):
        return dict(os.environ) if getenv.lower() == "true" else {}
    return {name: os.environ[name] for name in re.split(r"[ ,]+", getenv) if name in os.environ}


def chosen(arguments: tuple[str, ...]) -> list[Path]:
    """The jobs of ``NUMBER.0`` or ``-constraint 'NAME == "VALUE"'``."""
    jobs = sorted(FOLDER.glob("*.json"))
    if "-constraint" not in arguments:
        return [file for file in jobs if f"{file.stem}.0" in arguments]
    name, _, value = arguments[arguments.index("-constraint") + 1].partition(" == ")
    return [file for file in jobs if json.loads(file.read_text())["job"].get(f"MY.{name}") == value]


def remove(*arguments: str) -> None:
    """``condor_rm``."""
    found = chosen(arguments)
    for file in found:
        job = json.loads(file.read_text())
        file.unlink()
        if job["status"] == RUNNING:
            with suppress(ProcessLookupError):
                os.killpg(job["process"], signal.SIGKILL)
    if not found:
        sys.exit(f"Couldn't find/remove all jobs matching {shlex.join(arguments)}")


def queue(*arguments: str) -> None:
    """``condor_q -constraint ... -af JobStatus``."""
    for file in chosen(arguments):
        print(json.loads(file.read_text())["status"])


if __name__ == "__main__":
    {"condor_submit": submit, "condor_rm": remove, "condor_q": queue}[Path(sys.argv[0]).name](*sys.argv[1:])
