"""What the library needs of the machine that it runs on.

files.py           files written whole or not at all, by one process at a time
streams.py         lines of any text, plain or compressed, as they come
shared_arrays.py   arrays that several processes have once
machine.py         how many cores there are for this process

Knows files, pipes, memory and cores. Does not know what is in them.
"""
