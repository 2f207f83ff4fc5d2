"""``make bench``: what a page and a booking cost, as ratios from one run. See docs/performance.md."""
