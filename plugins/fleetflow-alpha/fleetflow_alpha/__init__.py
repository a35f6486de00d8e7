"""The source alpha of fleetflow: a directory of CSV files that grow.

- `settings`: the table `[alpha]`
- `names`: file names as resources, and the partition of a file
- `state`: how far one file was read, as it is stored
- `reading`: whole lines and their checksums from an open file
- `scanner`: the one look at the directory that all partitions of a process share
- `partition`: decides what is read, and notices what happened to the files
- `source`: the source and its partitions
- `plugin`: the hooks
"""
