"""``tkstudies wbm``: run summaries of WBM, the predecessor of OMS."""

from __future__ import annotations

from tkstudies.commands import options, selection
from tkstudies.commands.output import write_all
from tkstudies.errors import UsageError

app = options.application()


@app.command()
@selection.selects_runs("minimum", "maximum", "run", "inputs")
def wbm(given: selection.RunOptions, output: options.Output = "-") -> None:
    """Fetch run summaries of WBM; all values but the run number are texts.

    \b
    WBM is switched off at CERN: 'tkstudies oms runs' has the same and more.

    \b
    Examples:
      tkstudies wbm --min 327500 --max 327564
      tkstudies wbm -i runs.jsonl
    """
    from tkstudies.services import wbm as service

    runs = given.selection().runs
    if runs is None:
        raise UsageError("select runs: --min, --max, --run or -i")
    write_all(service.runs(runs.ranges), output, "run", "WBM")
