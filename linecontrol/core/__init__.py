"""The ground floor: words every room uses. Standard library only; no I/O, no wire, no database."""
