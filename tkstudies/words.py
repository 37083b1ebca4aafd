"""The words that all commands use, each with its one meaning: what ``tkstudies help words`` prints."""

WORDS: dict[str, str] = {
    "bad": "A row that isn't good for physics. is_bad of label: strip or tracking isn't GOOD, or "
    "pixel isn't GOOD in collisions. A status BAD is what the shifters set for one component.",
    "cassette": "A file of recorded answers of the servers (YAML or JSON, as vcrpy writes them).",
    "certified": "Judged good or bad by shifters and experts, as the Run Registry keeps it. While rda_state is OPEN "
    "the judgement isn't made.",
    "collection": "A named list of plots that dqm fetches together: tracking, pixel, strip, all, cosmics, modules.",
    "column": "A key of the records, looked at over all rows. 'tkstudies columns' lists those that the tool makes.",
    "commissioning": "A run taken to set up the detector, not for physics; all rows of such a run count as "
    "commissioning.",
    "component": "In pca: a principal component, a direction in the space of the features (pc1 has the largest "
    "variance). In certification: pixel, strip or tracking. In OMS: a subsystem of CMS in the run.",
    "era": "A period of data taking with stable conditions, such as 2018B. Run2018B is the same era.",
    "feature": "A number that describes a histogram of a row, such as Hits.Pixel.mean, and that pca and others use.",
    "figure": "A picture that plot draws. What the DQM GUI shows is called a plot.",
    "fill": "The time from one injection of beam into the LHC to the next. A fill has one or more runs.",
    "golden": "Good by a certification file (golden JSON): the list of the lumisections that all of CMS uses for "
    "physics.",
    "good": "A row with the statuses GOOD in pixel, strip and tracking (in cosmics pixel doesn't count).",
    "key": "The columns that tell rows apart and by which tables are joined: run_number and reco, or run_number and "
    "lumisection_number, or fill_number.",
    "label": "A column that follows from the certification of a row by a fixed rule, such as is_bad or bad_reason.",
    "loading": "The weight of one feature in one principal component.",
    "luminosity": "Delivered: what the LHC gave. Recorded: what CMS took of it. Integrated over a run, fill or "
    "lumisection; the unit stands in recorded_lumi_unit: pb^{-1} in pp, {\\mu}b^{-1} in heavy-ion runs. "
    "recorded_lumi_pb is always in inverse picobarns. All from OMS online, without normtag.",
    "lumisection": "The smallest unit of data taking, 2^18 orbits of the LHC or about 23 seconds. Counted from 1 in "
    "each run. Short: LS.",
    "map": "Short for tracking map.",
    "map scale": "The most common ratio of a reference map to the tracking map over the bins: how much more tracks the "
    "reference has (map_scale of trackingmap).",
    "model": "What pca has learned and saved (--model FILE), to be applied to other rows (--apply FILE).",
    "plot": "A histogram of the DQM GUI, named by its path. A picture drawn by this tool is a figure.",
    "pull": "The difference of a bin and the same bin of the reference, in standard deviations (compare).",
    "Q": "Q residual, the column q of pca: the squared part of a row that the components don't describe. Large: the "
    "row is unusual in a way that the fitted rows never were. It has nothing to do with quality.",
    "quality": "How good the data are, as people judge it: the statuses of pixel, strip and tracking. It is no "
    "number, and not Q.",
    "quality test": "A check of one plot by a program when the data were processed: dqm --quality gives the "
    "worst status of each plot. It isn't the quality, which people judge.",
    "reco": "Reconstruction: one pass of the data through CMSSW. online, express, prompt, rereco, rerecoul.",
    "record": "One JSON object on one line, a row of a table. --record DIR is something else: it writes what the "
    "servers answer into cassettes.",
    "reference": "Short for reference run; the reference of a plot is the same plot of that run.",
    "reference run": "A good run with similar conditions, with which a run is compared.",
    "replay": "To answer all requests from cassettes, without any network: --replay DIR.",
    "row": "One run in one reco (or one lumisection of a run): what is certified, and what one record describes.",
    "run": "The data taking of CMS from a start to a stop, with one number. It consists of lumisections.",
    "score": "Where a row lies along a principal component (pc1, pc2, ...). An outlier score (lof_score, ...) says "
    "how unusual a row is: the larger, the more.",
    "special": "A run with special conditions, such as a scan or low pileup: Special in its class or dataset name.",
    "summary": "Entries, mean, rms and limits of a plot from the index of the DQM GUI, without bins (dqm --summaries).",
    "suspect": "A row whose certification deserves a second look, because its features don't fit.",
    "T2": "Hotelling's T2, the column t2 of pca: how far a row is from the mean of the fitted rows within the "
    "components, in units of their variance.",
    "tracking map": "The number of tracks in bins of eta and phi of one run: a histogram of the DQM GUI. Holes show "
    "parts of the tracker that don't work. (A tracker map shows the modules instead.)",
    "workspace": "A view of the Run Registry with statuses of its own: tracker, or global (what all of CMS sees).",
    "z": "How unusual the change of a plot against its reference is, for this plot: 0 is the median of pairs of good "
    "runs, a tenth of them is above 1.28 (compare --changes). It says nothing about good or bad.",
}
"""Word -> meaning, in alphabetical order."""


def page(words: dict[str, str], width: int = 80) -> str:
    """The words with their meanings below them, no line longer than ``width`` characters.

    >>> print(page({"run": "The data taking of CMS from a start to a stop."}, 30), end="")
    run
      The data taking of CMS from
      a start to a stop.
    """
    import textwrap

    indent = "  "
    lines: list[str] = []
    for word, meaning in words.items():
        lines += [word, *textwrap.wrap(meaning, width, initial_indent=indent, subsequent_indent=indent)]
    return "\n".join(lines) + "\n"
