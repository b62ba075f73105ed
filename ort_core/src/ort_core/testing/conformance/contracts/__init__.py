"""The contracts of the provider protocol as tests: memory, types, copies, streams, options, threads, errors, numbers.

Each runs on whatever the provider claims of a catalogue of small models (`catalogue.CASES`).
"""
