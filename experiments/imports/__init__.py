"""Recipes from the configurations of other trainers: TRL, verl, OpenRLHF.

`reading` turns a file into settings by name, one module per trainer turns settings into
the table of a recipe, `verdicts` keeps what became of each setting, and `versions` has
the defaults of the versions that were looked up.
"""
