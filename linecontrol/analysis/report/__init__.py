"""The report of a run for people who were not there: one HTML file, or a PDF, in English or Chinese."""
