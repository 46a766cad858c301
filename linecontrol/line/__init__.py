"""The composition root: builds one line from its file, runs it, and is what the API and the command line talk to."""
