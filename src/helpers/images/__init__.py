"""One picture: opened honestly, changed, looked at twice.

opening     a file or picture in memory, as people see it
format      a kind of file: whether it is a picture, and how much memory it takes
metadata    what a file holds beside its pixels; who edited it
folder      the images below a place, by their names; what else is there
change      what happens to a picture on its way, with a strength and a seed
second look two pictures compared pixel by pixel
detail      which of two copies of one picture shows more of it
"""
