"""Copies in a photo library.

inventory   what there is to know about every file
second look near pictures, compared pixel by pixel
kin         pictures turned, framed and cropped
proposal    which files may go, and why; a table called a plan
sheet       a plan as a page with small pictures
remembered  what earlier runs found
"""
