"""The same helpers on many machines: from a folder to a hundred million fingerprints, by Dask.

crowd       rows with one value in a block of bits, more than half of what a task can hold
engine      Dask at work: a scheduler, workers with a memory limit, and what work will cost
job         rows that meet in one task, and the joins to be made there
partition   rows of a table that one worker holds at a time
result      a folder of whole numbers, three a row: pairs or matches, with their digest
shard       one file with many pictures: a tar archive, or Parquet with their bytes
table       a folder of Parquet parts: id, path and fingerprint, with a checksum for each part
"""
