"""What can be asked of the Run Registry: components and statuses, the fields of the server and of our records.

Source of the server's fields: the backend's answers as observed in 2024.
"""

from __future__ import annotations

# Our name of a component -> its column of the server
COMPONENTS = {"pixel": "tracker-pixel", "strip": "tracker-strip", "tracking": "tracker-track"}
STATUSES = ("BAD", "STANDBY", "EXCLUDED", "NOTSET", "GOOD")
SERVER_STATUSES = (*STATUSES, "EMPTY", "NO VALUE FOUND")  # of lumisections, as the server counts them
DEFAULT_STATES = ("OPEN", "SIGNOFF", "COMPLETED")
STATES = (*DEFAULT_STATES, "waiting dqm gui", "not significant for workspace")

# The fields of our records: of v3 and v4, and of v4 alone
BASE_FIELDS = (
    "run_number", "reco", "run_type", "workspace", "rda_name", "rda_state", "run_class_name",
    *(name + suffix for name in COMPONENTS for suffix in ("", "_cause", "_comment")),
)  # fmt: skip
V4_FIELDS = ("lumisections", *(f"{name}_good_fraction" for name in COMPONENTS), "good_fraction_of", "gui_datasets")

_OMS_ATTRIBUTES = {
    "number": "energy b_field l1_rate duration end_lumi init_lumi run_number fill_number ls_duration "
    "recorded_lumi delivered_lumi hlt_physics_rate hlt_physics_size hlt_physics_counter l1_triggers_counter "
    "hlt_physics_throughput initial_prescale_index",
    "text": "l1_key hlt_key l1_menu end_time sequence clock_type start_time l1_hlt_mode last_update "
    "trigger_mode cmssw_version l1_key_stripped fill_type_party1 fill_type_party2 injection_scheme "
    "fill_type_runtime l1_hlt_mode_stripped",
    "flag": "dt_included es_included csc_included daq_included dcs_included dqm_included rpc_included "
    "trg_included ecal_included hcal_included scal_included tcds_included pixel_included tracker_included "
    "stable_beam tier0_transfer beams_present_and_stable",
}
_COLUMNS_BY_WORKSPACE = {
    "dc": "lowlumi", "dt": "dt", "cms": "cms", "csc": "csc", "hlt": "hlt", "l1t": "l1t l1tmu l1tcalo",
    "rpc": "rpc", "tau": "tau", "btag": "btag", "ecal": "ecal es", "hcal": "hcal", "lumi": "lumi",
    "muon": "muon", "egamma": "egamma", "global": "", "jetmet": "jetmet", "tracker": "pixel strip track",
}  # fmt: skip
COLUMNS = [f"{workspace}-{column}" for workspace, names in _COLUMNS_BY_WORKSPACE.items() for column in names.split()]
"""What has a status in each lumisection: a component in a workspace."""

# The server's name of a field -> its type, a key of OPERATORS
SERVER_FIELDS: dict[str, str] = {
    "run_number": "number",
    "name": "text",
    "version": "number",
    "datasets_in_gui": "member",
    "rr_attributes.class": "text",
    "rr_attributes.state": "text",
    "rr_attributes.stop_reason": "text",
    "rr_attributes.significant": "flag",
    "rr_attributes.short_run": "flag",
    **{f"oms_attributes.{name}": kind for kind, names in _OMS_ATTRIBUTES.items() for name in names.split()},
    **{f"dataset_attributes.{workspace}_state": "text" for workspace in _COLUMNS_BY_WORKSPACE},
}
# Our name, or the official client's, of a field -> the server's name
ALIASES = {
    "rda_name": "name",
    "dataset_name": "name",
    "gui_datasets": "datasets_in_gui",
    "run_class_name": "rr_attributes.class",
    "class": "rr_attributes.class",
    "fill_number": "oms_attributes.fill_number",
    "start_time": "oms_attributes.start_time",
    "tracker_state": "dataset_attributes.tracker_state",
    "global_state": "dataset_attributes.global_state",
}

# Our name of an operator -> the server's
SYMBOLS = {
    "eq": "=", "ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=",
    "like": "like", "notlike": "notlike",
}  # fmt: skip
_OF_NUMBERS = ("eq", "ne", "gt", "gte", "lt", "lte")
# Type of a field -> the operators that it takes
OPERATORS = {
    "number": _OF_NUMBERS,
    "count": _OF_NUMBERS,  # of the lumisections with a status
    "text": tuple(SYMBOLS),
    "texts": ("like", "notlike"),  # a list of texts, searched in
    "member": ("eq",),  # a list of texts, one of which is meant
    "flag": ("eq", "ne"),
    "record": tuple(SYMBOLS),  # of our record: decided here
}
