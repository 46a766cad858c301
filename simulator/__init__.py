"""A simulated kudzu line behind real Modbus and OPC UA servers. Start it with ``python -m simulator``.

It knows nothing of the controller: it has its own profile reader and its own encoder, because a shared codec would
cancel its own bugs.
"""
