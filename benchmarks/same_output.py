"""``python -m benchmarks.same_output OLD NEW``: does a refactoring leave every output as it was?

OLD and NEW are commits (each gets a worktree and a virtual environment) or ``tkstudies`` executables. Both run the
command lines of ``TABLE`` in equal folders; exit code, standard output and written files must be the same, byte for
byte. In groups marked ``~`` floating-point numbers may differ by 1e-9 of the largest in their column.
"""

from __future__ import annotations

import argparse
import fnmatch
import gzip
import json
import math
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TOLERANCE = 1e-9
SECONDS = 300  # patience with one command line
STREAMS = ("exit code", "stdout", "stderr")
STEADY = {
    "LANG": "C.UTF-8", "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "MPLBACKEND": "agg", "TZ": "UTC",
    "SOURCE_DATE_EPOCH": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
}  # fmt: skip
FLOAT = re.compile(r"(-?\d+\.\d+(?:[eE][-+]?\d+)?|-?\d+[eE][-+]?\d+)")


# Command lines of each kind: "== NAME | TEMPLATE" (with "~" if numbers may differ a little), then what takes the place
# of {} in the template, one a line or after ";;". The order counts: later ones read what earlier ones wrote.
TABLE = r"""
== examples ~ | TKSTUDIES_REPLAY=cassettes examples/{}
quickstart.sh ;; real.sh ;; quickstart.sh 1 2
== help | tkstudies {} --help
runreg ;; oms ;; oms runs ;; oms fills ;; oms lumisections ;; oms hltpaths ;; oms hltrates ;; oms get ;; dqm ;; doctor
doctor runs ;; doctor problem-runs ;; doctor problems ;; doctor references ;; check ;; wbm ;; merge ;; label ;; filter
select ;; sort ;; features ;; trackingmap ;; pca ;; outliers ;; embed ;; rank ;; compare ;; diff ;; plot ;; export
== usage | tkstudies {}
--help ;; --version ;; nonsense ;; sort --nonsense ;; select ;; sort --top -1 ;; merge ;; oms nonsense
filter 'a ~ (' -i real/fill.jsonl ;; filter a -i real/fill.jsonl ;; label --only nonsense study/runs.jsonl
sort --by nonsense study/runs.jsonl ;; pca --features nonsense study/study.jsonl ;; pca -n 0 study/study.jsonl
select nonsense -i study/runs.jsonl ;; plot --x nonsense -o nonsense.png study/pca.jsonl ;; plot study/pca.jsonl
plot -o nonsense.txt study/pca.jsonl ;; features --stats nonsense hists.jsonl ;; runreg ;; runreg --min 2 --max 1
runreg --run x ;; runreg --era nonsense ;; runreg --filter nonsense=1 ;; oms get nonsense
oms runs --run 317527 --filter nonsense=1 ;; dqm --run 317291 ;; dqm --collection nonsense
doctor runs --from missing.json ;; oms runs --run 1 --replay missing ;; oms runs --run 1 --replay cassettes
sort -i - -i - < study/runs.jsonl ;; sort study/runs.jsonl -o missing/out.jsonl
== runreg | tkstudies runreg {}
--min 319337 --max 319700 -o runs.jsonl ;; --min 319337 --max 319700 --workspace global
--min 317291 --max 317600 --raw ;; --min 319337 --max 319700 --runs-txt -o runs.txt
--run 317434,317480-317482 --lumisections ;; --run 317434 --run 317511 --add-lumis ;; --runs-from runs.txt
-i runs.jsonl --reco express ;; --fill 6757 ;; --fill 6757-6761 --reco online ;; --era 2018C --reco prompt
--since 2018-07-01 --until 2018-07-10 ;; --class Collisions18 --min-ls 300 --min 317000 --max 317600
--type cosmics --min 317000 --max 319700 ;; --state all --min 317291 --max 317600 ;; --state OPEN --era 2018B
--exclude-cosmics --exclude-non-regular --era 2018B ;; --era 2018B --filter strip=BAD
--era 2018B --filter tracker-strip.BAD__gt=0 ;; --era 2018B --filter pixel_comment__like=%HV%
--min 317291 --max 317600 --filter oms_attributes.b_field__gt=3.7 ;; --run 1 ;; --run 306631,353001,374810
--era 2018B --status-rule worst ;; --era 2018B --status-rule majority ;; --workers 1 --era 2018B
--era 2018B --status-rule fraction=0.9 ;; --era 2018B --reco rereco --reco rerecoul
--api v3 --min 317291 --max 317600 ;; --api v3 --min 317291 --max 317600 --workspace global
--api v3 --min 317291 --max 317600 --add-lumis ;; --api v3 --run 317434 --raw ;; --api v3 --fill 6757 --runs-txt
--api v3 --min 313052 --max 327564 --exclude-cosmics --exclude-non-regular ;; --api v3 --run 317434 --lumisections
--api v3 --min 317291 --max 318877 --filter strip=BAD ;; --api v3 --era 2018B --state all --reco online
== oms | tkstudies oms {}
runs --min 319337 --max 319700 -o oms_runs.jsonl ;; runs -i runs.jsonl --fields fill_number,recorded_lumi
runs --fill 6757 ;; runs --era 2018C ;; runs --since 2018-07-01 --until 2018-07-10 ;; runs --run 315260-315273
runs --type cosmics --min 317000 --max 317600 ;; runs --class Collisions18 --min 317291 --max 317600
runs --sequence all --min 317000 --max 317600 ;; runs --min-ls 1000 --era 2018B ;; runs --run 327489,353001
runs --min 317291 --max 317600 --filter components__contains=TRACKER --filter b_field__gt=3.7
runs --runs-from runs.txt ;; runs --run 1 ;; fills -i oms_runs.jsonl -o oms_fills.jsonl
fills --min 6757 --max 6769 --split-filling-scheme ;; fills --fill 6615-6617 --fields era,peak_lumi
fills --since 2018-07-01 --until 2018-07-10 ;; fills --min 6700 --max 6800 --filter stable_beams=true
lumisections --run 315265 ;; lumisections --run 315265,317435 --fields pileup,tob_ready
lumisections --fill 6616 --filter pileup__gt=30 ;; hltpaths --run 317527 ;; hltpaths -i oms_runs.jsonl
hltpaths --run 317527,317291 --path 'HLT_ZeroBias*' ;; hltrates --run 317435 --path HLT_ZeroBias_v6
hltrates --run 317435 --fields rate ;; get eras --sort=-start_run ;; get eras --fields era,start_run
get fills --filter era=2018B --filter stable_beams=true --sort=-peak_lumi ;; get runs --filter run_number=317434
runs --run 317434 --record tape >record.jsonl; tkstudies oms runs --run 317434 --replay tape; rm -r tape
== dqm | tkstudies dqm {}
--collection tracking --run 319337-319450 --reco express --reco prompt -o hists.jsonl
--tracking-map --with-references study/study.jsonl -o maps.jsonl ;; --online --collection tracking runs.jsonl
--collection all --run 319450 --reco prompt ;; --collection cosmics --collection tracking --run 325680 --reco prompt
--collection pixel --collection strip --run 319337-319450 --reco express ;; --datasets runs.jsonl
--datasets study/runs.jsonl ;; --datasets runs.txt ;; --run 321012 --online --tracking-map
--datasets --run 306631,317080,325680,327489,353001,374810,379415 --reco express --reco prompt --reco rereco
--datasets --primary-dataset JetHT --run 317080 --reco rereco
--ls /Tracking/TrackParameters --run 317291 --reco express ;; --ls / --run 317291 --reco prompt
--ls Info/ProvInfo --run 317291,1 --reco express --strict
--collection tracking --check-complete --run 317696,317435 --reco express
--strict --run 1 --reco express --collection tracking
--collection tracking --complete-only --run 317696,317435 --reco express --workers 1
--collection tracking --plot /No/Such runs.jsonl --errors errors.jsonl -o crawl.jsonl; head -99 crawl.jsonl >half.jsonl
--plot /No/Such/Plot --run 317435 --reco express --errors errors.jsonl ;; --plot / --run 317435 --reco express
--dataset /ZeroBias/Run2018B-PromptReco-v1/DQMIO --tracking-map --run 317435
--collection tracking runs.jsonl --resume half.jsonl -o resumed.jsonl
--collection tracking runs.jsonl --resume half.jsonl -o half.jsonl --errors errors.jsonl
== doctor | tkstudies {}
doctor runs -o doctor.jsonl ;; doctor runs -i runs.jsonl ;; doctor problem-runs -o problems.jsonl
doctor problem-runs -i study/runs.jsonl ;; doctor problems ;; doctor references -i runs.jsonl ;; doctor references
doctor runs --from odd/doctor.json ;; doctor problems --from odd/array.json ;; doctor runs --from odd/empty.jsonl
wbm --min 319337 --max 319500 ;; wbm -i oms_runs.jsonl ;; wbm --run 317434,1
== scripts ~ | {}
STUDY=live examples/quickstart.sh 319337 319700
mkdir -p tldr && cd tldr && ../examples/tldr.sh 319337 319400 6900 6920
== merge | tkstudies merge {}
study/oms_runs.jsonl study/oms_fills.jsonl -i study/runs.jsonl ;; study/doctor.jsonl < study/runs.jsonl
--on run_number --prefix old_ study/doctor.jsonl -i study/runs.jsonl ;; study/runs.jsonl < study/oms_runs.jsonl
--on run_number --many study/doctor.jsonl -i study/runs.jsonl -o many.jsonl ;; problems.jsonl -i study/runs.jsonl
--how inner study/features.jsonl -i study/runs.jsonl ;; --on run_number --on reco runs.jsonl -i doctor.jsonl
--prefix run__ real/oms_runs.jsonl -i real/lumisections.jsonl ;; --on nonsense study/runs.jsonl -i study/runs.jsonl
--on reco study/runs.jsonl -i study/oms_runs.jsonl ;; runs.jsonl -i study/runs.jsonl -i runs.jsonl
--many --how inner --prefix p_ study/doctor.jsonl study/runs.jsonl -i study/oms_runs.jsonl
<(tkstudies select fill_number era -i study/oms_fills.jsonl) -i study/oms_runs.jsonl
== label | tkstudies label {}
study/runs.jsonl ;; --sorted study/runs.jsonl ;; --exclude-commissioning study/runs.jsonl ;; many.jsonl
--exclude-special --exclude-open study/runs.jsonl ;; --only is_bad,bad_reason < study/runs.jsonl
--only has_fed_error --sorted problems.jsonl ;; problems.jsonl ;; many.jsonl --sorted --exclude-commissioning
--exclude-commissioning --exclude-special --exclude-open --sorted runs.jsonl ;; real/oms_runs.jsonl
--sorted <(sort study/runs.jsonl) ;; study/runs.jsonl runs.jsonl ;; doctor.jsonl
== filter | tkstudies filter {} -i study/study.jsonl
'tracking = BAD' ;; 'tracking != BAD' ;; 'run_number < 317434' ;; 'run_number <= 317434' ;; 'reco > express'
'Hits.Pixel.mean >= 3.2' ;; 'reco in express,prompt' ;; 'pixel_comment ~ (?i)hv' ;; 'pixel_comment !~ HV'
'bad_reason exists' ;; 'bad_reason missing' ;; --invert 'bad_reason missing' ;; 'is_bad = true' ;; 'nonsense = 1'
--invert 'tracking = BAD' 'reco = prompt' ;; 'tracking = BAD' 'strip = GOOD' 'lumisections > 20'
'start_time > 2018-06-10' ;; 'components ~ PIXEL' ;; 'comment = ""' ;; 'run_number in 317434,317435' ;; 'q > x'
--golden certification/golden_2018.json ;; --golden certification/dcsonly_2018.json 'reco = prompt'
--golden certification/golden_2018.json --invert ;; --golden study/runs.jsonl ;; 'recorded_lumi = 1e2'
== records | tkstudies {}
filter --golden certification/golden_2018.json -i real/lumisections.jsonl ;; select '*' -i real/fill.jsonl
select run_number reco 'Hits.*' -i study/study.jsonl ;; select --drop '*.entries' '*_unit' -i study/study.jsonl
select reco run_number '[pt]*' < study/pca.jsonl ;; select reco -i study/runs.jsonl -i runs.jsonl -o picked.jsonl
sort study/study.jsonl ;; sort --by t2 --descending --one-per run_number --top 3 study/pca.jsonl
sort --by bad_reason,t2 study/pca.jsonl ;; sort --by reco --by run_number --descending study/runs.jsonl
sort --top 0 study/runs.jsonl ;; sort --one-per reco study/study.jsonl -o sorted.jsonl ;; sort < real/study.jsonl
sort --by pileup real/lumisections.jsonl --top 5 ;; sort runs.jsonl study/runs.jsonl ;; sort | head -c 99
diff study/doctor.jsonl --columns pixel,strip,tracking -i study/runs.jsonl ;; diff study/runs.jsonl < runs.jsonl
diff study/study.jsonl -i study/study.jsonl --on run_number --columns tracking --left-where 'reco = express'
diff -i study/features.jsonl --on run_number live/features.jsonl --tolerance 0.1 --columns 'Hits.mean=Tracks.mean'
diff study/runs.jsonl -i study/runs.jsonl --right-where 'reco = prompt' --left-where 'reco = express' --on run_number
diff --strict study/oms_fills.jsonl -i study/oms_runs.jsonl --on fill_number
sort study/runs.jsonl | tkstudies filter 'tracking = BAD' | tkstudies label | tkstudies select 'run*' 'is_*'
== histograms | tkstudies {}
features hists.jsonl -o features.jsonl ;; features --stats mean --stats median,skewness hists.jsonl
features --stats rms,entries,integral,kurtosis,q05,q25,q75,q95 hists.jsonl maps.jsonl ;; features --content maps.jsonl
features --names names.jsonl hists.jsonl ;; features --names names.jsonl --content --stats mean real/map.jsonl
features hists.jsonl resumed.jsonl ;; features odd/hists.jsonl ;; features --stats median,q05 odd/hists.jsonl
features --content odd/hists.jsonl ;; trackingmap --maps maps.jsonl study/study.jsonl -o costs.jsonl
trackingmap --maps maps.jsonl --only angular_entropy --periodic-phi study/runs.jsonl
trackingmap --maps maps.jsonl --maps real/map.jsonl --only reference_cost,map_scale study/study.jsonl
trackingmap --maps maps.jsonl --plot nonsense study/study.jsonl ;; trackingmap study/study.jsonl
compare hists.jsonl --reference-run 319337 ;; compare --reference hists.jsonl hists.jsonl --run 319450
compare --reference-run 319450 --tolerance 0.2 hists.jsonl ;; compare maps.jsonl --reference real/map.jsonl
compare odd/hists.jsonl --reference-run 1 ;; compare --reference odd/hists.jsonl hists.jsonl ;; compare hists.jsonl
merge study/doctor.jsonl -i maps.jsonl | tkstudies compare | tkstudies filter 'max_pull_corrected > 5'
== pca ~ | tkstudies pca {}
study/study.jsonl --loadings loadings.jsonl ;; -n 3 --features 'Hits.*' --features recorded_lumi study/study.jsonl
--missing mean live/features.jsonl ;; --missing drop live/features.jsonl ;; --missing zero live/features.jsonl
--fit-where 'tracking = GOOD' --model good.json study/study.jsonl ;; --apply good.json study/study.jsonl
--apply good.json features.jsonl ;; --apply good.json --tolerant features.jsonl ;; --keep all study/study.jsonl
--keep labels --missing drop -n 31 study/study.jsonl ;; -n 99 study/study.jsonl ;; real/oms_runs.jsonl
-n 3 --features '*_lumi' real/lumisections.jsonl ;; --fit-where 'tracking = NONE' study/study.jsonl
--apply loadings.jsonl study/study.jsonl ;; study/study.jsonl features.jsonl -o both.jsonl ;; odd/types.jsonl
--keep all study/study.jsonl | tkstudies rank --by dqm
study/study.jsonl | tkstudies sort --by q --top 9 | tkstudies export
== outliers ~ | tkstudies {}
outliers study/pca.jsonl ;; outliers -m all study/study.jsonl ;; outliers -m svc --missing drop live/features.jsonl
outliers -m one-class-svm -m lof --train-where 'is_bad = false' study/study.jsonl ;; outliers odd/nan.jsonl
outliers --columns 'Hits.*' --contamination 0.02 -m isolation-forest --seed 1 study/study.jsonl
outliers -m one-class-svm --nu 0.2 --missing mean study/pca.jsonl ;; outliers -m lof features.jsonl
embed study/pca.jsonl ;; embed --columns 'Hits.*' -n 1 --perplexity 5 --seed 7 --missing drop study/study.jsonl
rank study/study.jsonl ;; rank --run 317434,317511 --top 5 study/study.jsonl ;; rank --by dqm study/pca.jsonl
rank --by both -n 2 <(tkstudies merge study/pca.jsonl -i study/study.jsonl) ;; rank real/lumisections.jsonl
rank --columns energy,recorded_lumi --golden certification/golden_2018.json study/study.jsonl
== plot | tkstudies plot {}
-o plain.png study/pca.jsonl ;; scatter --x pc1 --y pc3 --hue bad_reason -o bad.png < study/pca.jsonl
--x fill__peak_pileup --y Tracks.mean --facet reco --hue fill__era -o pileup.svg study/study.jsonl
--x start_time --y recorded_lumi --annotate 0 --title 'A $ title_1' -o time.png study/oms_runs.jsonl
--hue q -o hue.pdf study/pca.jsonl ;; --x run_number --y Hits.mean -o nan.png odd/nan.jsonl
-o none.png odd/empty.jsonl ;; --x angular_entropy --y reference_cost --annotate 1 -o costs.png costs.jsonl
== export | tkstudies export {}
study/study.jsonl -o study.csv ;; study/study.jsonl -o study.parquet ;; --to jsonl study.csv
--to jsonl study.parquet ;; --to jsonl --drop-nulls study.csv ;; --to jsonl --drop-nulls study.parquet
problems.jsonl -o problems.csv ;; problems.jsonl -o problems.parquet ;; --to jsonl problems.csv
--to jsonl problems.parquet ;; maps.jsonl -o maps.parquet ;; --to jsonl maps.parquet ;; study/runs.jsonl runs.jsonl
--to csv < real/fill.jsonl ;; --to jsonl < odd/table.csv ;; --to jsonl odd/table.tsv ;; --to jsonl odd/torn.csv
--to nonsense study.csv ;; --to parquet study/runs.jsonl | tkstudies export --to jsonl ;; study.csv -o again.jsonl
study.parquet
"""
REAL = r"""
== real | tkstudies {}
doctor runs --from $REAL/doctor/runs.json -o real_doctor.jsonl ;; label real_doctor.jsonl
merge --many real_doctor.jsonl -i study/runs.jsonl ;; sort --by certification_date,run_number real_doctor.jsonl
diff real_doctor.jsonl -i study/doctor.jsonl ;; export real_doctor.jsonl -o doctor.parquet
sort $REAL/oms/fills_2018.json ;; export --to jsonl $REAL/oms/runs_2018.parquet -o real_runs.jsonl
export --to jsonl $REAL/oms/runs_2018_columns.parquet ;; merge $REAL/oms/fills_2018.json -i real_runs.jsonl
rank --run 315000-315400 real_runs.jsonl ;; plot --x run_number --y recorded_lumi -o real.png real_runs.jsonl
export --to jsonl $REAL/hdqm/hdqm2016_prompt_wide_golden.parquet -o hdqm2016.jsonl
filter 'golden = true' 'TrackPt_mean > 1.8' -i $REAL/hdqm/hdqm2016_small_labelled.jsonl
export $REAL/hdqm/hdqm2018_prompt_wide.jsonl ;; filter 'doctor_tracking = BAD' -i $REAL/hdqm/hdqm2018_prompt_wide.jsonl
filter --golden $REAL/certification/Cert_271036-284044_13TeV_Legacy2016_Collisions16_JSON.txt -i hdqm2016.jsonl
filter --golden $REAL/certification/Cert_Collisions2024_378981_386951_Golden.json -i $REAL/lumisections/ls2024B*.jsonl
sort --by pileup --top 50 $REAL/lumisections/ls2024B*.jsonl
sort $REAL/lumisections/normdata_Run2024B-v1_PXLayer_1.json ;; sort $REAL/hdqm/NumberOfTrack_mean.json
select '*' -i $REAL/hdqm/averageFEDDigisOccupancy.json ;; select '*' -i $REAL/hdqm/2018_ADC_Barrel_mean.json
export --to jsonl $REAL/autodqm/PCA_180724.csv -o autodqm.jsonl ;; export --to jsonl $REAL/csv/brilcalc_byls.csv
export --to jsonl $REAL/csv/wbm_fills_2018.csv ;; export --to jsonl $REAL/csv/no_header.csv
export --to jsonl $REAL/csv/tracks_by_run.tsv ;; features crawl --stats mean,rms,median,integral
features crawl --content ;; features $REAL/jsonfairy/jsrootfairy_FedChNErr_6.08.04.json
sort $REAL/dqmio/*charge*.root ;; export --to jsonl $REAL/dqmio/*charge*.parquet
filter 'run_number > 1' --golden $REAL/certification/generated_json2018_rr.json -i real_runs.jsonl
filter --golden $REAL/certification/json_DCSONLY_2018.txt -i real_doctor.jsonl
filter --golden $REAL/certification/JSON_2018LowPU.json --invert -i real_doctor.jsonl
== real-pca ~ | tkstudies {}
pca --features '*_mean' --fit-where 'golden = true' --loadings l.jsonl hdqm2016.jsonl -o hdqm_pca.jsonl
pca --features 'clusters_*' --features pileup --keep all $REAL/lumisections/ls2024B*.jsonl
pca --features '*' --missing drop --model real.json $REAL/hdqm/hdqm2018_prompt_wide.jsonl
pca --features '*chi2prime' --fit-where 'label = 0' autodqm.jsonl
outliers -m all --train-where 'golden = true' --columns '*_mean' $REAL/hdqm/hdqm2016_small_labelled.jsonl
outliers -m envelope -m lof hdqm_pca.jsonl
"""
# every one of these reads every file of ``odd_files``
ODD_COMMANDS = """sort FILE ;; filter 'Hits.mean > 1' -i FILE ;; filter --golden odd/golden.json -i FILE
    select run_number 'H*' -i FILE ;; label FILE ;; merge FILE -i odd/good.jsonl
    merge odd/good.jsonl -i FILE ;; diff FILE -i odd/good.jsonl ;; export FILE -o odd.csv ;; export --to jsonl FILE
    features FILE ;; pca FILE ;; compare FILE --reference-run 392001 ;; dqm --datasets FILE"""
SKIPPING = ("bad-line", "truncated", "latin1", "not-records", "types", "array-cut")


# lines of histograms whose contents are these, and of records whose values are all one of those
ODD_CONTENTS = ("[1,2,3]", "[-1,0,-1]", "[0,0]", "[1e308,1e308]", '["nan",1]', "[]", "[[1],[3]]", "null")  # fmt: skip
ODD_VALUES = ("true", '"392001"', "392001.0", "null", "[]", '{"a":1}', "3.5", '"x"', "-1", "1e400", '""')  # fmt: skip
HISTOGRAM = """{"run_number":RUN,"reco":"prompt","plot":"/Tracking/A","name":"A","hist":{"type":"TH1",\
"bins":{"content":BINS,"integral":10},"xaxis":{"first":{"id":1,"value":0},"last":{"id":4,"value":4}},\
"stats":{"entries":10,"mean":{"X":{"value":1.5}},"rms":{"X":{"value":"nan"}}}}}
"""
VALUES = '{"run_number":V,"reco":"prompt","lumisection_number":V,"Hits.mean":V,"tracking":V}\n'


def odd_files() -> dict[str, bytes]:
    """Malformed and unusual inputs by file name; all invented."""
    columns = ("run_number", "reco", "tracking", "Hits.mean", "Hits.rms")
    rows = [dict(zip(columns, (392001 + n, "prompt", "BAD", 1.5 + n % 3, n * n / 7), strict=True)) for n in range(4)]
    lines = [json.dumps(row).encode() + b"\n" for row in rows]
    good, first = b"".join(lines), lines[0]
    hists = [HISTOGRAM.replace("BINS", bins).replace("RUN", run) for bins in ODD_CONTENTS for run in "12"]
    hists = [line.replace("/A", f"/A{n // 2}").replace('"A"', f'"A{n // 2}"') for n, line in enumerate(hists)]
    doctor = {"run_number": 392001, "type__reco": "Express", "pixel": "Good", "comment": "a\tb\u0007 ☃"}
    return {
        "good.jsonl": good,
        "empty.jsonl": b"",
        "blank.jsonl": b"\n \n" + good + b"\n\n",
        "bad-line.jsonl": first + b"{oops\n" + good,
        "truncated.jsonl": good + lines[1][:30],
        "no-newline.jsonl": good[:-1],
        "nan.jsonl": good + b'{"run_number":392009,"Hits.mean":NaN,"Hits.rms":-Infinity}\n' + lines[2],
        "twice.jsonl": good + b'{"run_number":1,"reco":"x","run_number":392002,"H.mean":1,"H.mean":2}\n' + good,
        "integers.jsonl": b"".join(b'{"run_number":392001,"H.mean":%d}\n' % n for n in (2**53 + 1, 2**63, -(2**70)))
        + b'{"run_number":392001,"reco":"prompt","Hits.mean":1' + b"0" * 5000 + b"}\n",
        "unicode.jsonl": '{"run_number":392001,"H☃":"日 \u2028 \\ud83d\\ude00 \\ud800 ï","H":"\\u0000"}\n'.encode(),
        "latin1.jsonl": first + '{"run_number":392002,"Hits.mean":2,"comment":"naïve"}\n'.encode("latin-1") + good,
        "utf16.jsonl": good.decode().encode("utf-16"),
        "crlf.jsonl": good.replace(b"\n", b"\r\n"),
        "bom.jsonl": b"\xef\xbb\xbf" + good,
        "packed.jsonl.gz": gzip.compress(good, mtime=0),
        "packed-cut.jsonl.gz": gzip.compress(good, mtime=0)[:-12],
        "array.json": json.dumps(rows, indent=1).encode(),
        "array-cut.json": json.dumps(rows).encode()[:-20],
        "not-records.jsonl": b'1\n"x"\n[1, 2]\nnull\n' + good,
        "types.jsonl": "".join(VALUES.replace("V", value) for value in ODD_VALUES).encode(),
        "numbers.jsonl": b'{"run_number":392001,"H.mean":1.0,"H":1e5,"i":-0,"j":-0.0,"k":1E+2,"l":0.10,"m":1e-320}\n',
        "table.csv": b'run_number,reco,comment,H.mean,list\n392001,"prompt","a ""b"",",1.50,"[1,2]"\n392002,,"",,NaN\n',
        "table.tsv": b"run_number\treco\n392001\tprompt\n",
        "torn.csv": b'run_number,comment\r\n392001,"never\nclosed\r\n392002,5" pipe,more\r\n',
        "hists.jsonl": "".join(hists).encode(),
        "doctor.json": json.dumps([doctor, doctor | {"run_number": 0, "type__reco": None}, doctor]).encode(),
        "golden.json": b'{"392001": [[1, 50]], "392003": [[5, 9]]}',
    }  # fmt: skip


class Case(NamedTuple):
    """One command line; ``close`` if numbers may differ a little."""

    name: str
    command: str
    close: bool


_MADE_AT = re.compile(rb'"made_at":"[^"]*"')  # when a model was made differs between any two runs


class Side:
    """One of the two executables with its own folder; the two folders' names are equally long."""

    def __init__(self, folder: Path, executable: Path, environment: dict[str, str]) -> None:
        self.folder, self.work = folder, folder / "work"
        for name in ("bin", "home", "tmp", "work"):
            (folder / name).mkdir(parents=True)
        (folder / "bin/tkstudies").symlink_to(executable)
        self._environment = environment | {
            "PATH": f"{folder / 'bin'}:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
        }
        self._stamps: dict[str, tuple[int, int, int]] = {}

    def run(self, case: Case) -> dict[str, bytes]:
        """What the command line gives: exit code, both streams, and the files that it wrote or deleted."""
        command = ["bash", "-o", "pipefail", "-c", case.command]
        process = subprocess.Popen(
            command, cwd=self.work, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
        parts = {"exit code": str(process.returncode).encode(), "stdout": out, "stderr": err}
        for name in self.changed():
            file = self.work / name
            parts[name] = _MADE_AT.sub(b"", file.read_bytes()) if file.exists() else b"(no such file)"
        here = str(self.folder).encode()
        return {name: content.replace(here, b"SIDE") for name, content in parts.items()}

    def changed(self) -> list[str]:
        """The files of the working folder that are new, other or gone since the last call."""
        files = [file for file in self.work.rglob("*") if file.is_file()]
        stats = {str(file.relative_to(self.work)): file.stat() for file in files}
        before, self._stamps = (self._stamps, {n: (s.st_mtime_ns, s.st_size, s.st_ino) for n, s in stats.items()})
        return sorted({name for name, _ in before.items() ^ self._stamps.items()})

    def take(self, other: Side, names: Iterable[str]) -> None:
        """Make these files equal to the other side's, so that later cases start from the same."""
        for name in names:
            (self.work / name).unlink(missing_ok=True)
            if (other.work / name).exists():
                (self.work / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(other.work / name, self.work / name)
        self.changed()


def cases(real: Path | None) -> Iterator[Case]:
    """All command lines, in order, with names that stay when others are added."""
    odd = [
        f"== odd-{file.partition('.')[0]} | tkstudies {{}}{skip}\n{ODD_COMMANDS.replace('FILE', f'odd/{file}')}"
        for file in [*odd_files(), "missing.jsonl"]
        for skip in ("", " --skip-bad-lines")
        if not skip or file.startswith(SKIPPING)
    ]
    seen: Counter[str] = Counter()
    for group in "\n".join([TABLE, *odd, REAL if real else ""]).split("\n== ")[1:]:
        head, _, rest = group.partition("\n")
        title, _, template = head.partition(" | ")
        for argument in re.split(r"\s*(?:;;|\n)\s*", rest.strip()):
            words = re.sub(r"[^A-Za-z0-9.]+", "-", f"{title} {argument.replace('$REAL/', '')}")
            name = words[:60].strip("-.")
            seen[name] += 1
            number = f"-{seen[name]}" if seen[name] > 1 else ""
            yield Case(name + number, template.replace("{}", argument), "~" in title)


# --- comparing


def same(old: bytes, new: bytes, close: bool) -> bool:
    """Are they equal: bytes, but of PNG pictures the pixels, and numbers to ``TOLERANCE`` if ``close``?"""
    if old == new:
        return True
    if old.startswith(b"\x89PNG") and new.startswith(b"\x89PNG"):
        return _pixels(old) == _pixels(new)
    return close and _close(old, new)


def _pixels(picture: bytes) -> tuple[bytes, bytes]:
    """Header with palette, and the unpacked rows of a PNG: texts and the packing don't count."""
    header, rows, at = b"", b"", 8
    while at < len(picture):
        (size,), kind = struct.unpack(">I", picture[at : at + 4]), picture[at + 4 : at + 8]
        data, at = picture[at + 8 : at + 8 + size], at + 12 + size
        header += data if kind in (b"IHDR", b"PLTE", b"tRNS") else b""
        rows += data if kind == b"IDAT" else b""
    return header, zlib.decompress(rows)


def _close(old: bytes, new: bytes) -> bool:
    left, right = ([list(_leaves(line)) for line in side.decode("latin-1").split("\n")] for side in (old, new))
    scale: dict[str, float] = {}
    for column, value in (leaf for side in (left, right) for line in side for leaf in line):
        if isinstance(value, float) and math.isfinite(value):
            scale[column] = max(scale.get(column, 0.0), abs(value))
    return len(left) == len(right) and all(
        len(mine) == len(yours) and all(map(_equal, mine, yours, [scale] * len(mine)))
        for mine, yours in zip(left, right, strict=True)
    )


def _equal(mine: tuple[str, Any], yours: tuple[str, Any], scale: dict[str, float]) -> bool:
    (column, value), (other, theirs) = mine, yours
    if column != other or type(value) is not type(theirs):
        return False
    near = isinstance(value, float) and abs(value - theirs) <= TOLERANCE * scale.get(column, 0.0)
    return near or repr(value) == repr(theirs)


def _leaves(line: str) -> Iterator[tuple[str, Any]]:
    """Column and value of everything in a line; a line that isn't JSON is text with numbers between."""
    try:
        yield from _inside(json.loads(line, object_pairs_hook=tuple, parse_int=str), "")
    except ValueError:
        for number, part in enumerate(FLOAT.split(line)):
            yield str(number), float(part) if number % 2 else part


def _inside(value: Any, column: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, tuple):
        yield column, f"{{{len(value)}"
        for key, member in value:
            yield from _inside(member, f"{column}.{key}")
    elif isinstance(value, list):
        yield column, f"[{len(value)}"
        for member in value:
            yield from _inside(member, column)
    else:
        yield column, value


def first_difference(old: bytes, new: bytes) -> tuple[str, str, str]:
    """Where two texts begin to differ: the line's number, and that line of each, cut and made printable."""
    for number, pair in enumerate(zip_longest(old.split(b"\n"), new.split(b"\n")), 1):
        if pair[0] != pair[1]:
            lines = ["(no such line)" if line is None else line.decode(errors="backslashreplace") for line in pair]
            letters = enumerate(zip(*lines, strict=False))
            start = max(0, next((n for n, (mine, yours) in letters if mine != yours), 0) - 60)
            cut = [("..." if start else "") + line[start:][: 200 - 3 * bool(start)] for line in lines]
            shown = ["".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)[:200] for line in cut]
            return f"line {number}", shown[0], shown[1]
    return "nowhere", "", ""


# --- setting up


def git(*arguments: object) -> str:
    """What git prints for the repository of this file."""
    words = ["git", "-C", str(ROOT), *map(str, arguments)]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@contextmanager
def installed(name: str, folder: Path, venvs: Path) -> Iterator[tuple[Path, Path]]:
    """The executable that ``name`` is, or that of the commit ``name``, and the checkout that belongs to it."""
    if Path(name).is_file():
        yield Path(name).absolute(), ROOT
        return
    commit = git("rev-parse", "--verify", f"{name}^{{commit}}")
    tree, venv = folder / "tree", venvs / commit[:12]
    git("worktree", "add", "--quiet", "--detach", tree, commit)
    try:
        if not (venv / "bin/tkstudies").exists():
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
            pip = [venv / "bin/pip", "--disable-pip-version-check", "install", "--quiet"]
            subprocess.run([*pip, f"{tree}[parquet]"], check=True)
        yield (venv / "bin/tkstudies").absolute(), tree
    finally:
        git("worktree", "remove", "--force", tree)


@contextmanager
def fixture_server() -> Iterator[dict[str, str]]:
    """The environment of a user of the fixture server of this checkout, which runs meanwhile."""
    cern = any((ROOT / "tests" / file).exists() for file in ("cern/__main__.py", "cern.py"))
    command = [sys.executable, "-m", "tests.cern" if cern else "tests.cernserver", "--seed", "7", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            environment = {}
            for line in process.stdout or ():
                if line.startswith("#"):
                    break
                name, _, value = shlex.split(line)[1].partition("=")
                environment[name] = value
            else:
                sys.exit("the fixture server didn't start")
            yield environment
        finally:
            process.terminate()


def fill(work: Path, checkout: Path, real: Path | None) -> None:
    """Put into a working folder what the cases read."""
    golden = next((checkout / "tests").rglob("golden_2018.json"))
    shutil.copytree(checkout / "cassettes", work / "cassettes")
    shutil.copytree(checkout / "examples", work / "examples")
    shutil.copytree(golden.parent, work / "certification")
    for name, content in odd_files().items():
        (work / "odd").mkdir(exist_ok=True)
        (work / "odd" / name).write_bytes(content)
    names = ("NumberOfRecHitsPerTrack_Pixel_GenTk", "TrackEtaPhi_ImpactPoint_GenTk")
    (work / "names.jsonl").write_text("".join(f'{{"plot":"{name}","feature":"F{len(name)}"}}\n' for name in names))
    if real:
        (work / "crawl/plots").mkdir(parents=True)
        for number, file in enumerate(sorted((real / "jsonfairy").glob("*.json"))):
            shutil.copyfile(file, work / f"crawl/plots/{317111 + number}_express.json")


class Report:
    """Prints what differs and counts the cases by verdict.

    Args:
        allowed: Reasons of the differences that are meant, by name of the case.
        stderr: Whether differences of standard error count.
    """

    def __init__(self, allowed: dict[str, str], stderr: bool) -> None:
        self._allowed, self._stderr = allowed, stderr
        self._used: set[str] = set()
        self.count: Counter[str] = Counter()
        self.exits: Counter[str] = Counter()

    def judge(self, case: Case, old: dict[str, bytes], new: dict[str, bytes]) -> list[str]:
        """Count one case, print its differences, and tell which parts aren't the same bytes."""
        none = b"(not written)"
        unequal = {part: (old.get(part, none), new.get(part, none)) for part in {**old, **new}}
        unequal = {part: pair for part, pair in unequal.items() if pair[0] != pair[1]}
        differing = {part: pair for part, pair in unequal.items() if not same(*pair, case.close)}
        counts = bool(differing.keys() - (set() if self._stderr else {"stderr"}))
        verdict = "differ" if counts else "stderr" if differing else "close" if unequal else "equal"
        if counts and case.name in self._allowed:
            self._used.add(case.name)
            verdict = "allowed"
        self.count[verdict] += 1
        self.exits[old["exit code"].decode()] += 1
        if differing:
            reason = f" ({self._allowed[case.name]})" if verdict == "allowed" else ""
            print(f"{verdict.upper()}{reason} {case.name}: {case.command}")
        elif unequal:
            print(f"CLOSE {case.name}: {', '.join(unequal)}")
        for part, pair in differing.items():
            line, mine, yours = first_difference(*pair)
            print(f"  {part}, {line}\n    old: {mine}\n    new: {yours}", flush=True)
        return list(unequal)

    def finish(self, seconds: float) -> int:
        """Print the summary; the exit code."""
        for name in self._allowed.keys() - self._used:
            print(f"allowed, but equal or not run: {name}")
        told = {"equal": "equal", "close": f"equal to {TOLERANCE:g}", "stderr": "differ in stderr only"}
        told |= {"allowed": "differ as allowed", "differ": "DIFFER"}
        parts = [f"{self.count[verdict]} {words}" for verdict, words in told.items()]
        print(f"{self.count.total()} cases in {seconds:.0f} s: {', '.join(parts)}")
        print("exit codes of OLD: " + ", ".join(f"{code}: {n}" for code, n in sorted(self.exits.items())))
        return 1 if self.count["differ"] else 0


def compare(options: argparse.Namespace, scratch: Path, report: Report) -> None:
    """Run all cases on both sides at once."""
    real = options.real.resolve(strict=True) if options.real else None
    base = options.keep.resolve() if options.keep else scratch
    venvs = options.venvs.resolve() if options.venvs else scratch / "venvs"
    with (
        installed(options.old, scratch / "old-tree", venvs) as (old_executable, checkout),
        installed(options.new, scratch / "new-tree", venvs) as (new_executable, _),
        fixture_server() as services,
        ThreadPoolExecutor(2) as pool,
    ):
        environment = STEADY | services | {"REAL": str(real or "")}
        old = Side(base / "old", old_executable, environment)
        new = Side(base / "new", new_executable, environment)
        for side in (old, new):
            fill(side.work, checkout, real)
            side.changed()
        for case in cases(real):
            if not case.name.startswith("examples") and not fnmatch.fnmatchcase(case.name, options.only):
                continue
            started = time.monotonic()
            before, after = pool.map(lambda side, case=case: side.run(case), (old, new))
            new.take(old, [part for part in report.judge(case, before, after) if part not in STREAMS])
            with (base / "cases.txt").open("a") as log:
                code = before["exit code"].decode()
                print(f"{time.monotonic() - started:6.2f} s  exit {code:>3}  {case.name}: {case.command}", file=log)


def main() -> None:
    """Exit with 1 if anything differs that isn't allowed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.same_output")
    parser.add_argument("old", help="commit or tkstudies executable")
    parser.add_argument("new", help="the same")
    for name, words in (
        ("--real FOLDER", "real data; the cases that read it run, too"),
        ("--keep FOLDER", "new folder to work in and to leave everything in, and cases.txt with times and exit codes"),
        ("--venvs FOLDER", "keep the commits' virtual environments there for the next time"),
        ("--allow FILE", "differences that are meant: lines CASE_NAME REASON"),
    ):
        parser.add_argument(name.split()[0], type=Path, metavar=name.split()[1], help=words)
    parser.add_argument("--only", default="*", metavar="PATTERN", help="cases with such names, and the examples")
    parser.add_argument("--stderr", action="store_true", help="differences of standard error count, too")
    options = parser.parse_args()
    lines = options.allow.read_text().splitlines() if options.allow else []
    meant = [[*line.split(None, 1), "no reason given"] for line in lines if line.strip() and line[0] != "#"]
    report = Report({name: reason for name, reason, *_ in meant}, options.stderr)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # worktrees and server are to go
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="same-output-") as name:
        compare(options, Path(name).resolve(), report)
    sys.exit(report.finish(time.monotonic() - started))


if __name__ == "__main__":
    main()
