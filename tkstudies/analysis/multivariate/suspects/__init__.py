"""Which runs and lumisections deserve a second look: what good ones look like, and how unusual the others are.

``judge`` puts it together: a table (``table``) with good rows (``good``) in groups of one kind (``groups``),
their features (``features``), models of good rows (``fit``) that judge rows they haven't seen (``scores``), on the
scale of other good rows (``calibration``), and what stands out in words (``findings``). ``lumisections`` has what is
special of these.
"""
