"""Yield, balances and comparison. Reads records and samples; never touches the plant."""
