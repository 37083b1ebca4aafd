"""The era of a row: of its fill, else of its dataset."""

import pytest

from tkstudies.analysis.tables.eras import run_era
from tkstudies.analysis.tables.labels import label_record


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"fill__era": "2018B", "rda_name": "/PromptReco/Cosmics18E/DQM"}, "2018B"),
        ({"fill__era": None, "gui_datasets": ["/Cosmics/Run2018E-PromptReco-v1/DQMIO"]}, "2018E"),
        ({"gui_datasets": [None, "/A/HIRun2018A-PromptReco-v1/DQMIO"], "rda_name": "online"}, "HIRun2018A"),
        ({"dataset": "/StreamExpressCosmics/Commissioning2018-Express-v1/DQMIO"}, "Commissioning2018"),
        ({"dataset": "/IonPhysics0/OORun2025-PromptReco-v1/DQMIO"}, "OORun2025"),
        ({"dataset": "/ZeroBias/Run2018B-12Nov2019_UL2018-v2/DQMIO"}, "2018B"),
        ({"rda_name": "/PromptReco/Cosmics18E/DQM", "gui_datasets": []}, "2018E"),
        ({"rda_name": "/PromptReco/HICollisions2018A/DQM"}, "HIRun2018A"),
        ({"rda_name": "/ReReco/Run2018B_17Sep2018/DQM"}, "2018B"),
        ({"rda_name": "/ReReco/Run2018_UL2018/DQM"}, None),
        ({"rda_name": "/Express/Cosmics2018/DQM"}, None),
        ({"rda_name": 5, "gui_datasets": "x", "dataset": 7.5, "fill__era": " "}, None),
        ({}, None),
    ],
)
def test_the_era_of_a_run(record, expected):
    assert run_era(record) == expected
    labelled = label_record(record)
    assert labelled["run_era"] == expected and label_record(labelled) == labelled
