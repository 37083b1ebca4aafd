"""``tkstudies wbm``: run summaries of WBM, the predecessor of OMS."""

from __future__ import annotations

from tkstudies import console, jsonl
from tkstudies.commands import options, selection
from tkstudies.errors import UsageError

app = options.application()


@app.command()
def wbm(
    minimum: selection.Min = None,
    maximum: selection.Max = None,
    run: selection.Run = None,
    inputs: selection.Inputs = None,
    output: options.Output = "-",
) -> None:
    """Fetch run summaries of WBM; all values but the run number are texts.

    \b
    WBM is switched off at CERN: 'tkstudies oms runs' has the same and more.

    \b
    Examples:
      tkstudies wbm --min 327500 --max 327564
      tkstudies wbm -i runs.jsonl
    """
    from tkstudies.services import wbm as service

    selected = selection.runs(minimum=minimum, maximum=maximum, run=run, inputs=inputs)
    if selected.runs is None:
        raise UsageError("select runs: --min, --max, --run or -i")
    with jsonl.Writer(output, at_once=True) as writer:
        for record in service.runs(selected.runs.ranges):
            writer.write(record)
    console.say(f"{console.counted(writer.written, 'run')} of WBM")
