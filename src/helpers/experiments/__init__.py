"""Which fingerprint survives what, on whose pictures, and the radius that follows from it.

comparing   what the difference between two runs is, or between two hashes of one
counting    the fingerprints that a chapter counts with, and distances of copies from needles
judging     near pairs drawn by distance for a person, and what was judged of them
choosing    the radius for a wish: so many false matches a query
rates       false matches per pair and recalls, with intervals; the tables of a run
report      one page about a run, which can be sent
runs        a run: a folder with every hash, change and strength on the pictures of one set
measuring   what is measured of each picture of a run, in parts
"""
