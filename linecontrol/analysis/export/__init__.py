"""Runs as tables for other programs: tidy, units in the metadata, nothing that a spreadsheet takes for a formula."""
