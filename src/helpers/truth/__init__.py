"""Copies with known truth.

needle      an original that was chosen to be copied
haystack    everything else, with the copies hidden in it
truth       the table that tells which picture is a copy of which needle
ownership   which files of a folder the kit wrote, and nobody changed since
mess        a photo library with known truth about every file
"""
