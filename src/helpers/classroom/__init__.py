"""What a chapter shows a class, beside what it computes.

exercise    a function to write: a file with its answer, its calls, and what learners get wrong
stub        the cell in which learners type their answer
check       feedback on an attempt: to do, not yet (with the call that shows it), or right
quiz        questions on a chapter, with feedback to each answer
plot        a figure together with its alt text
steps       dHash step by step, drawn as squares and told in words
result      a number that a run measured, beside the one kept for CALTECH-101
"""
