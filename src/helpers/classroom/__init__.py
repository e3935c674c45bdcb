"""What a chapter shows a class, beside what it computes.

check       feedback on an exercise: not started, not right yet, or right
plot        a figure together with its alt text
steps       dHash step by step, drawn as squares and told in words
result      a number that a run measured, beside the one kept for CALTECH-101
"""
