"""Speed as ratios: every benchmark runs ours and a named reference side by side, in turns, in one run."""
