"""``tkstudies report``: what a person finds on the page of a study, whatever is in its folder."""

from __future__ import annotations

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.conftest import from_lines, to_lines
from tests.pipe import help_examples
from tkstudies.provenance import command_line, digest, provenance
from tkstudies.report import interactive, reference

HOSTILE = "</script><script>alert(1)</script></style><img src=x onerror=alert(2)> \"'&amp; <!-- | `x`"
GOOD = {"pixel": "GOOD", "strip": "GOOD", "tracking": "GOOD"}


def registry(run, reco="express", state="COMPLETED", **columns):
    kind = {"run_type": "Collisions", "run_class_name": "Collisions18", "rda_name": f"/{reco}/Collisions2018/DQM"}
    return {"run_number": run, "reco": reco, "rda_state": state, **kind, **GOOD, **columns}


def judged(run, rank, **columns):
    quiet = {"flagged_by": None, "unusual": None, "subsystem": None, "findings": [], "finding_features": []}
    return {"run_number": run, "reco": "express", "rank": rank, "score": 1.0, "p_value": 0.51234, **quiet, **columns}


def flagged(run, rank, **columns):
    found = {
        "flagged_by": "largest",
        "subsystem": "pixel",
        "unusual": "more unusual than 199 of the last 200 good express runs of this kind",
        "findings": ["Hits.Pixel.mean 9.1; 90 % of good rows: 14.1 to 14.9 (-37 %)"],
        "finding_features": ["Hits.Pixel.mean"],
        "finding_sigmas": [-33.3],
        "p_value": 0.00497512,
        "score": 4.0,
    }
    return judged(run, rank, **{**found, **columns})


RUNS = [
    registry(1001),
    registry(1001, "prompt", strip="BAD", tracking="BAD", strip_cause="HV", strip_comment=HOSTILE),
    registry(1002, "express", "OPEN"),
    registry(1002, "prompt", "waiting dqm gui"),
    registry(1003),
    registry(1004, pixel="BAD", tracking="BAD", pixel_comment="HV was off"),
    registry(1005),
    registry(1006, run_class_name="Collisions18SpecialRun"),
]
STUDY = [{**row, "Hits.mean": 10.0 + row["run_number"] % 7} for row in RUNS]
SUSPECTS = [
    flagged(1004, 1, is_certified_good=False),
    flagged(1003, 2),
    judged(1001, 3),
    judged(1005, None, score=None, p_value=None, not_judged="too few good rows of other runs to compare with"),
]
OMS = [
    {"run_number": run, "fill_number": 7, "start_time": f"2018-06-0{run - 1000}T10:00:00Z", "delivered_lumi_pb": 11.0,
     "recorded_lumi_pb": 10.0}
    for run in range(1001, 1006)
]  # fmt: skip
KNOWN = [
    {"from_run": 1000, "to_run": None, "subsystem": "strip", "text": "FED 434 is out"},
    {"from_run": 1, "to_run": 9, "text": "long ago"},
]


@pytest.fixture
def folder(tmp_path):
    """A folder of a study; ``folder(runs=None)`` leaves a table out."""

    def make(**tables):
        place = tmp_path / "study"
        place.mkdir(exist_ok=True)
        usual = {"runs": RUNS, "study": STUDY, "suspects": SUSPECTS, "oms_runs": OMS, "known": KNOWN}
        for name, records in {**usual, **tables}.items():
            if records is not None:
                (place / f"{name}.jsonl").write_text(to_lines(records))
        return place

    return make


@pytest.fixture
def markdown(tkstudies, tmp_path):
    """The page as Markdown: heading -> text below it; "" is what stands above all."""

    def make(place, *options):
        result = tkstudies("report", place, "-o", tmp_path / "page.md", *options)
        assert result.exit_code == 0, result.stderr
        parts = re.split(r"^#+ (.*)\n", (tmp_path / "page.md").read_text(), flags=re.MULTILINE)
        title, head = parts[1:3]
        return {"": f"{title}\n{head}", **dict(zip(parts[3::2], parts[4::2], strict=True))}

    return make


class Reader(HTMLParser):
    """What a browser makes of a page: its elements, attributes and visible text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self._inside = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside.append(tag)

    def handle_endtag(self, tag):
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self._inside):
            self.text.append(data)


@pytest.fixture
def page(tkstudies, tmp_path):
    """The page as HTML and what a browser makes of it."""

    def make(place, *options):
        result = tkstudies("report", place, "-o", tmp_path / "page.html", "--no-pictures", *options)
        assert result.exit_code == 0, result.stderr
        text = (tmp_path / "page.html").read_text()
        return text, Reader(text)

    return make


# --- what stands where


def test_the_sections_are_in_their_order(folder, markdown):
    found = markdown(folder())
    assert list(found) == [
        "", "To certify", "Not judged, and why", "Runs to look at", "The others", "All rows", "The last 50 runs",
        "Flags that changed", "Luminosity", "Is the reference still typical", "Known issues in force",
        "Judged with, made from",
    ]  # fmt: skip
    assert "runs 1001 to 1006" in found[""] and "data as of" in found[""] and "UTC" in found[""]


def test_the_page_for_those_who_have_a_minute(folder, markdown):
    lines = [line for line in markdown(folder())[""].splitlines() if line.startswith("- **")]
    assert lines == [
        "- **To certify**: 2 rows of 1 run: 1 express, 1 prompt",
        "- **Unusual and new**: 1 run, already signed: 1003 (pixel)",
        "- **Unusual and known**: 1 run, certified bad by people already",
        "- **Not judged**: 5 rows: nobody has signed it, and open rows were left out of the study (2); too few good "
        "rows of other runs to compare with (1); ...",
        "- **Missing**: oms\\_fills.jsonl, doctor.jsonl, hists.jsonl, features.jsonl",
    ]


def test_a_minute_is_enough_to_see_that_nothing_is_judged(folder, markdown):
    todo = [{"run_number": 1009, "reco": "express", "rda_state": "OPEN", "run_is_complete": False}]
    found = markdown(folder(todo=todo, suspects=None, runs=None))[""]
    assert "**To certify**: 1 row of 1 run: 1 express; 1 not complete in the DQM GUI yet\n" in found
    assert "**Unusual**: not known: nothing is judged" in found


def test_unusual_runs_that_nobody_signed_come_first(folder, markdown):
    suspects = [flagged(1003, 1, score=9.0), flagged(1002, 2, score=3.0)]
    found = markdown(folder(suspects=suspects, todo=[]))
    lines = re.findall(r"^- .*$", found["Runs to look at"], flags=re.MULTILINE)
    assert "**1002**" in lines[0] and "new, not signed" in lines[0] and "**1003**" in lines[1]
    assert "2 runs, 1 of them not signed: 1002 (pixel) 1003 (pixel)\n" in found[""]
    assert "To certify**: nothing: every row is signed" in found[""]


def test_the_work_list_is_of_rows_that_nobody_signed(folder, markdown):
    text = markdown(folder())["To certify"]
    assert "2 rows that nobody has signed: 1 express, 1 prompt." in text
    assert "| 1002 | prompt | waiting dqm gui | Collisions | automatic: pixel GOOD" in text
    of_no_reco = [registry(1007, None, "OPEN", rda_name="/Test/NoReco/DQM")]
    assert "| 1007 | /Test/NoReco/DQM | OPEN |" in markdown(folder(runs=of_no_reco))["To certify"]
    todo = [{"run_number": 1009, "reco": "express", "rda_state": "OPEN", "run_is_complete": True,
             "has_reference": False, "recorded_lumi_pb": 2.5}]  # fmt: skip
    assert "| 1009 | express | OPEN | - | complete | none | - | 2.5 |" in markdown(folder(todo=todo))["To certify"]


@pytest.mark.parametrize(
    ("since", "words"),
    [(1005, "isn't typical, and never was; the most"), (1050, "isn't typical any more (since run 1050); the most")],
)
def test_a_reference_is_not_called_untypical_before_its_own_days(since, words):
    found = {"kind": "express", "reference_run_number": 1010, "reference_is_typical": False, "good_rows": 100,
             "candidate_run_number": 1077, "reference_not_typical_since": since}  # fmt: skip
    assert reference.words(found) == f"express: the reference 1010 {words} typical of the last 100 good runs is 1077."


def test_rows_that_are_not_judged_are_named_with_the_reason(folder, markdown):
    text = markdown(folder())["Not judged, and why"]
    assert "express: too few good rows of other runs to compare with (1): 1005" in text
    assert "express: a special run (1): 1006" in text
    assert "prompt: this reco was left out of the study (1): 1001" in text
    features = [{"run_number": 1001, "reco": "express"}]
    assert (
        "express: no histograms in this folder (2): 1002 1006"
        in markdown(folder(features=features))["Not judged, and why"]
    )


def test_runs_to_look_at_new_ones_first(folder, markdown):
    text = markdown(folder())["Runs to look at"]
    first, second = re.findall(r"^- \*\*(\d+)\*\* (.*)$", text, flags=re.MULTILINE)
    assert first[0] == "1003" and second[0] == "1004"
    assert first[1].startswith("express · pixel · Hits.Pixel.mean 9.1; 90 % of good rows: 14.1 to 14.9 (-37 %) · more")
    assert " · new (" in first[1] and "known: people found it bad" in second[1]
    assert "https://cmsoms.cern.ch/cms/runs/report?cms_run=1003" in first[1]


def test_a_known_issue_that_did_not_get_worse_is_known(folder, markdown):
    suspects = [
        flagged(1003, 1, known="FED 434 is out", known_is_worse=False),
        flagged(1005, 2, known="x", known_is_worse=True),
    ]
    lines = re.findall(r"^- .*$", markdown(folder(suspects=suspects))["Runs to look at"], flags=re.MULTILINE)
    assert "**1005**" in lines[0] and "new" in lines[0] and "known: FED 434 is out" in lines[1]


def test_issues_of_the_folder_mark_what_is_known(folder, markdown):
    known = [{"from_run": 1003, "to_run": 1003, "subsystem": "pixel", "text": "BPix sector 3"}]
    lines = re.findall(r"^- .*$", markdown(folder(known=known))["Runs to look at"], flags=re.MULTILINE)
    assert "**1003**" in lines[0] and "known: BPix sector 3" in lines[0]


def test_no_login_of_a_person_stands_beside_a_fault(folder, markdown):
    runs = [registry(1003, pixel="BAD", pixel_comment="HV off (told jane.doe@cern.ch, @jdoe)")]
    text = markdown(folder(runs=runs, study=None))["Runs to look at"]
    assert "pixel: HV off (told (somebody), (somebody))" in text


def test_no_more_than_ten_and_the_rest_as_numbers(folder, markdown):
    suspects = [flagged(2000 + n, n + 1) for n in range(12)]
    text = markdown(folder(suspects=suspects))["Runs to look at"]
    assert len(re.findall(r"^- ", text, flags=re.MULTILINE)) == 10
    assert "10 of 12 runs that stand out" in text and "stand out too (2): 2010 2011" in text


def test_lumisections_of_a_part(folder, markdown):
    suspects = [flagged(1003, n, lumisection_number=n) for n in (1, 2, 3, 9)]
    assert "lumisections 1-3, 9" in markdown(folder(suspects=suspects))["Runs to look at"]


def test_the_others_are_one_list(folder, markdown):
    text = markdown(folder())["The others"]
    assert text.strip() == "express, nothing unusual in the plots that were compared (1): 1001"
    bad = [{**row, "strip": "BAD", "tracking": "BAD"} if row["run_number"] == 1001 else row for row in RUNS]
    text = markdown(folder(runs=bad))["The others"]
    assert "express, certified bad by people, but nothing unusual in the plots that were compared (1): 1001" in text
    assert "a single odd one among them hides rows that are bad" in text


def test_flags_that_people_changed(folder, markdown):
    text = markdown(folder())["Flags that changed"]
    assert "| 1001 | strip | GOOD (express) | BAD (prompt) |" in text
    assert "1002" not in text  # nobody signed it
    assert "Not compared with TkDQMDoctor (doctor.jsonl) or Certification Helper (certhelper.jsonl)" in text
    doctor = [{"run_number": 1003, "reco": "express", "doctor_pixel": "Bad", "doctor_strip": "Good"}]
    text = markdown(folder(doctor=doctor))["Flags that changed"]
    assert "| 1003 | express | pixel | BAD | GOOD |" in text and "differ in 1 flag." in text


def test_luminosity_counts_each_run_once(folder, markdown):
    text = markdown(folder())["Luminosity"]
    for line in ("delivered | 55 | 5", "recorded | 50 | 5", "certified good so far | 20 | 2", "certified bad | 20 | 2",
                 "not decided yet | 10 | 1", "HV | 10 | 1", "hv\\_off (read from the comment) | 10 | 1"):  # fmt: skip
        assert f"| {line} |" in text
    assert "online, OMS, no normtag" in text


def test_known_issues_in_force(folder, markdown):
    text = markdown(folder())["Known issues in force"]
    assert "| 1000 | open | strip | FED 434 is out |" in text and "long ago" not in text


def test_how_it_was_made(folder, markdown):
    place = folder()
    text = markdown(place)["Judged with, made from"]
    assert "Judged with 3 good runs, 1001 to 1005" in text
    assert "| runs.jsonl |" in text and digest(str(place / "runs.jsonl")) in text
    assert "Not in the folder: oms\\_fills.jsonl (tkstudies oms fills)" in text


def test_the_week(folder, markdown):
    found = markdown(folder(), "--week")
    assert "| 7 | 5 | 55 | 50 |" in found["Fills, 2018-05-30 to 2018-06-05"]
    assert "| express | collisions | 3 | 30 | 1 | 10 | 1 | 10 |" in found["Certified, by reco and type"]
    assert "| Mon 2018-06-04 | 1 | 10 | 0 | 1 | 0 | 0 |" in found["Day by day"]
    assert "| 1001 | strip | GOOD (express) | BAD (prompt) |" in found["Flags that changed"]


def test_the_examples_of_the_help(folder, tkstudies, monkeypatch):
    monkeypatch.chdir(folder().parent)
    examples = [line for _, line in help_examples.lines() if line.startswith("tkstudies report")]
    for line in examples:
        help_examples.run(line, tkstudies)
    assert len(examples) == 3 and {file.name for file in Path().glob("*.*")} == {"report.html", "report.md", "week.md"}


# --- what isn't there, or isn't right


def test_what_is_missing_is_said(folder, markdown):
    found = markdown(folder(runs=None, study=None, suspects=None, oms_runs=None, known=None,
                            features=[{"run_number": 5, "reco": "express", "Hits.mean": 1.0}]))  # fmt: skip
    assert "suspects.jsonl is not there" in found["Not judged, and why"]
    assert "suspects.jsonl is not there" in found["Runs to look at"]
    assert "oms\\_runs.jsonl is not there" in found["Luminosity"]
    assert "known.jsonl is not there" in found["Known issues in force"]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda place: (place / "oms_runs.jsonl").write_text('{"run_number": 1'), "oms\\_runs.jsonl can't be used"),
        (lambda place: (place / "oms_runs.jsonl").write_text(""), "oms\\_runs.jsonl holds no record"),
        (lambda place: (place / "hists.jsonl.part").write_text(""), "hists.jsonl.part is there: tkstudies dqm didn't"),
        (lambda place: os.utime(place / "oms_runs.jsonl", (1e9, 1e9)), "oms\\_runs.jsonl is "),
        (
            lambda place: [
                (place / "summaries.jsonl").write_text("{}\n"),
                (place / "features.jsonl").write_text("{}\n"),
                os.utime(place / "features.jsonl", (1e9, 1e9)),
            ],
            "features.jsonl is older than summaries.jsonl: run tkstudies features summaries.jsonl again",
        ),
        (lambda place: os.utime(place / "suspects.jsonl", (1e9, 1e9)), "suspects.jsonl is older than study.jsonl"),
    ],
)
def test_a_source_that_failed_or_is_old_is_told_at_the_top(spoil, told, folder, markdown, page):
    place = folder()
    spoil(place)
    assert f"**{told}" in markdown(place)[""]
    assert ("p", {"class": "warning"}) in page(place)[1].elements


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nowhere", "-o", "x.html"], 1, "nowhere: no such folder"),
        ([".", "-o", "x.html"], 1, "no table of a study"),
        ([".", "-o", "x.pdf"], 2, "a page ends in .html or .md"),
        ([".", "-o", "-"], 2, "a page ends in .html or .md"),
        ([".", "-o", "x.md", "--week", "--expert"], 2, "leave out --expert"),
    ],
)
def test_what_a_user_can_do_wrong(arguments, code, told, tkstudies, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = tkstudies("report", *arguments)
    assert result.exit_code == code and told in result.stderr and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1 and not list(tmp_path.iterdir())


# --- the page in a browser's hands


def test_text_of_data_is_never_markup(folder, page):
    suspects = [flagged(1003, 1, findings=[HOSTILE], known=HOSTILE, subsystem=HOSTILE),
                {**judged(1001, 2), HOSTILE: 1.0, "finding_features": [HOSTILE]}]  # fmt: skip
    place = folder(suspects=suspects, known=[{"from_run": 1, "text": HOSTILE}])
    text, seen = page(place)
    assert not [tag for tag, _ in seen.elements if tag == "img"]
    assert not [attributes for _, attributes in seen.elements if any(name.startswith("on") for name in attributes)]
    assert "alert(1)</script>" not in text and "<script>alert" not in text and "<!-- |" not in text
    assert HOSTILE in "".join(seen.text)


def test_long_texts_are_cut(folder, page):
    _, seen = page(folder(suspects=[flagged(1003, 1, findings=["x" * 10_000])]))
    assert "(10,000 letters)" in "".join(seen.text) and "x" * 3000 not in "".join(seen.text)


def test_a_long_list_of_runs_opens_by_a_click(folder, page):
    _, seen = page(folder(suspects=[flagged(1003, 1), *(judged(2000 + n, n + 2) for n in range(61))]))
    assert ("details", {"class": "list"}) in seen.elements
    assert "express, nothing unusual in the plots that were compared (61)" in "".join(seen.text)


def test_new_or_known_is_a_column_of_all_rows(folder, page):
    text, _ = page(folder(suspects=[flagged(1003, 1), flagged(1004, 2, is_certified_good=False), judged(1001, 3)]))
    data = re.search(r'id="explorer-data">(.*?)</script>', text).group(1)
    assert '"new or known"' in data and '["new","known: people found it bad",""]' in data


def test_a_browser_may_ask_nobody(folder, page):
    text, seen = page(folder())
    policy = next(one["content"] for tag, one in seen.elements if one.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "http" not in policy
    for tag, attributes in seen.elements:
        assert tag not in ("link", "iframe", "base") and not attributes.get("src", "data:").startswith("http")
    scripts = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    assert len(scripts) >= 3 and policy.count("sha256-") == len(scripts)


def test_what_is_not_on_the_page(folder, page):
    study = [{**row, "pc1": 1.5, "t2": 77.7, "q": 3.0} for row in STUDY]
    place = folder(study=study)
    (place / "pca.jsonl").write_text(to_lines([{"run_number": 1003, "reco": "express", "pc1": 1.25, "t2": 88.5}]))
    text, _ = page(place)
    data = json.loads(re.search(r'id="explorer-data">(.*?)</script>', text).group(1))
    assert '"pc1"' not in json.dumps(data) and '"t2"' not in json.dumps(data)
    shown = text.partition("<main")[2]  # behind the library that draws, which has numbers of its own
    assert shown and "0.00497512" not in shown and "33.3" not in shown
    expert, _ = page(place, "--expert")
    assert '"pc1"' in expert and '"t2"' in expert


def test_at_most_forty_columns_and_those_left_out_are_named(folder, page):
    names = [f"Plot{n:02}.mean" for n in range(50)]
    row = {**flagged(1003, 1, finding_features=names), **dict.fromkeys(names, 1.5)}
    text, seen = page(folder(suspects=[row]))
    data = json.loads(re.search(r'id="explorer-data">(.*?)</script>', text).group(1))
    assert json.dumps(data).count('"TableColumn"') == 40
    assert "Left out, as a table has at most 40 columns: Plot31.mean" in "".join(seen.text)


def test_without_bokeh_the_table_stands_still(folder, page, monkeypatch):
    monkeypatch.setattr(interactive, "is_there", lambda: False)
    text, seen = page(folder())
    assert "pip install 'tkstudies[page]'" in "".join(seen.text) and len(text) < 60_000
    assert "too few good rows" in "".join(seen.text)


def test_pictures_of_a_run(folder, tkstudies, tmp_path):
    def hist(run, content, name="Hits", **columns):
        axis = {"first": {"id": 1, "value": 0}, "last": {"id": 4, "value": 10}}
        kind = {"type": "TH2", "yaxis": axis} if name != "Hits" else {"type": "TH1"}
        return {"run_number": run, "reco": "express", "plot": f"/a/{name}", "name": name, **columns,
                "hist": {**kind, "xaxis": axis, "bins": {"content": content}}}  # fmt: skip

    track_map = "TrackEtaPhi_ImpactPoint_GenTk"
    hists = [hist(1001, [5, 9, 4, 2]), hist(1003, [1, 2, 9, 9]), hist(1003, [1, 2, 3, 4], lumisection_number=7)]
    hists += [{**hists[-1], "plot": "/a/Hits.Pixel", "name": "Hits.Pixel"}]
    hists += [hist(run, [[5, 6, run % 10, 3]] * 4, track_map) for run in (1001, 1003)]
    states = [{"run_number": 1003, "lumisection_number": 7, "bpix_ready": True}]
    place = folder(hists=hists, oms_lumisections=states, suspects=[flagged(1003, 1)])
    result = tkstudies("report", place, "-o", tmp_path / "page.html")
    assert result.exit_code == 0, result.stderr
    seen = Reader((tmp_path / "page.html").read_text())
    pictures = [attributes for tag, attributes in seen.elements if tag == "img"]
    assert [one["alt"] for one in pictures] == [
        "Hits of run 1003 express over that of 1001",
        "tracks of run 1003 minus those of 1001 over eta and phi",
        "run 1003, lumisection by lumisection",
        "hits per track (Hits.mean) of the last runs",
    ]
    assert all(one["src"].startswith("data:image/png;base64,") for one in pictures)


# --- where it comes from


def test_a_model_says_where_it_comes_from(tkstudies, tmp_path):
    rows = [{"run_number": n, "a.mean": n, "b.mean": -n * n, "is_bad": n > 7} for n in range(1, 10)]
    (tmp_path / "rows.jsonl").write_text(to_lines(rows))
    model = tmp_path / "model.json"
    made = tkstudies("pca", "-n", "1", "--fit-where", "is_bad = false", "--model", model, tmp_path / "rows.jsonl")
    assert made.exit_code == 0, made.stderr
    found = json.loads(model.read_text())
    assert found["inputs"] == [{"file": str(tmp_path / "rows.jsonl"), "sha256": digest(str(tmp_path / "rows.jsonl"))}]
    assert (found["first_run"], found["last_run"]) == (1, 7) and {"command", "made_at"} < found.keys()
    assert tkstudies("pca", "--apply", model, tmp_path / "rows.jsonl").exit_code == 0


def test_provenance(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text("x")
    found = provenance([str(file), "-"], ["317640", 317291.0, True, None])
    assert found["inputs"] == [{"file": str(file), "sha256": "2d711642b726"}, {"file": "-", "sha256": None}]
    assert (found["first_run"], found["last_run"]) == (317291, 317640)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["made_at"])
    assert set(found) == {"tkstudies_version", "command", "made_at", "inputs", "first_run", "last_run"}


def test_loadings_say_where_they_come_from(tkstudies, tmp_path):
    rows = [{"run_number": n, "a.mean": n, "b.mean": -n * n} for n in range(1, 10)]
    assert tkstudies("pca", "-n", "1", "--loadings", tmp_path / "l.jsonl", input=rows).exit_code == 0
    for record in from_lines((tmp_path / "l.jsonl").read_text()):
        assert (record["inputs"], record["first_run"], record["last_run"]) == (["-"], 1, 9)
        assert record["command"] and record["made_at"] and record["tkstudies_version"]


def test_no_secret_is_written(monkeypatch):
    monkeypatch.setenv("SSO_CLIENT_SECRET", "very-very-secret")
    monkeypatch.setattr("sys.argv", ["/home/me/bin/tkstudies", "report", "--x=very-very-secret", "http://a:b@c/d"])
    assert command_line() == "tkstudies report '--x=***' http://c/d"
