"""Near a query, near each other, groups.

within      all rows at most so many bits from a query
linear      compare with every fingerprint: the oracle of all others
tree        a structure that leaves out what is too far away
multi-index pigeonholes: near fingerprints are equal in some band of bits
block       bits that are compared as one: near fingerprints are equal in most blocks
pairs       all rows near each other, and the groups that they form
"""
