"""What is done once per ping and cannot be said by columns, in C.

Everything here can be done without: `library` returns None where nothing was compiled, and who asks goes on
in Python. What is read in C is the usual form of records only; of anything else it is said where it stands,
and the readers in Python judge it. So there is one meaning of a record, and it is theirs.
"""
