"""Tasks for workers that are killed, fail, or talk."""

import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

from tkstudies import console
from tkstudies.errors import InputError


class Item(NamedTuple):
    number: int
    folder: str

    def __str__(self):
        return f"file {self.number}"


class Square:
    """Squares a number; the worker is killed the first time, or each time, that it works on some of them."""

    def __init__(self, once=(), always=()):
        self.once, self.always = once, always

    def __call__(self, item):
        mark = Path(item.folder, str(item.number))
        with open(mark, "a") as file:
            file.write("x")
        if item.number in self.always or (item.number in self.once and mark.stat().st_size == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        return item.number**2


def fail(item):
    """Fail over the third."""
    if item.number == 3:
        raise InputError("3.jsonl, line 7: not a JSON object")
    return item.number


def talk(item):
    """Say the same of each, and something of the third that is lost."""
    console.say("this is said by all")
    if item.number == 3:
        console.left_out("3.jsonl: a line is lost")
    return item.number


def mark(item):
    """Tell how often it was done, and who does it now."""
    with open(Path(item.folder, str(item.number)), "a") as file:
        file.write("x")
    return os.getpid()


def wait(item):
    """Tell who works, and be at it for long."""
    Path(item.folder, f"{os.getpid()}").touch()
    time.sleep(60)
