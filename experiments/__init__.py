"""Confronting theory with simulation: commands, checks, saved data, figures."""
