"""Records as a table of text, for people: how a cell reads, which columns come first, how the lines are drawn.

What is in a record is data: a cell never holds anything that a terminal obeys. Widths are those of a terminal, where
some characters take two places and some none.
"""
