"""Reads what people write: brands, stations and lines. Checks all of it, says where it is wrong, opens no socket."""

from linecontrol.config.address import Table
from linecontrol.config.brand import Brand
from linecontrol.config.check import Checker, check_document, check_paths, files_in
from linecontrol.config.design import Design, Factor, Schedule
from linecontrol.config.document import Document, load_document, parse_document
from linecontrol.config.endpoint import Endpoint, EndpointError, parse_endpoint
from linecontrol.config.files import shipped_dir
from linecontrol.config.line import LineFile, Loop
from linecontrol.config.reading import read_model, told
from linecontrol.config.resolve import LineConfig, StationConfig, read_line
from linecontrol.config.schema_files import schema
from linecontrol.config.station import Probe, StationProfile

__all__ = [
    "Brand",
    "Checker",
    "Design",
    "Document",
    "Endpoint",
    "EndpointError",
    "Factor",
    "LineConfig",
    "LineFile",
    "Loop",
    "Probe",
    "Schedule",
    "StationConfig",
    "StationProfile",
    "Table",
    "check_document",
    "check_paths",
    "files_in",
    "load_document",
    "parse_document",
    "parse_endpoint",
    "read_line",
    "read_model",
    "schema",
    "shipped_dir",
    "told",
]
