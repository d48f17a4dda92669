"""Figures of papers whose modules would be too long with them."""
