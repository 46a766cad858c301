"""Wires. One module for each protocol, all passing one contract suite; codec, plan and frames are pure."""
