"""The machines of the line, one file each. A machine takes materials and actuator positions, and gives materials.

Machines post what crosses the plant's boundary to ``Books`` and keep the rest as hold-up. They draw no random
numbers of their own: slow disturbances come in as arguments.
"""
