"""From pictures to bits.

hash        a function from a picture to bits, as imagehash has it, with all that belongs to it
fingerprint the bits of one picture: a uint64 up to 64 bits, hex text beyond
catalogue   the table of a folder: a row an image, with its fingerprint or what went wrong
recipe      what made fingerprints: hash, reading, versions; it tells which may be compared
variants    the fingerprints of a picture turned, without its border, of its parts
flat        a picture about which a fingerprint says nothing
"""
