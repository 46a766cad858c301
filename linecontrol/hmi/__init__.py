"""The display (NiceGUI): a process of its own and a client of the API, nothing else. It may die; control goes on."""
