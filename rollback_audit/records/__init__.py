"""Public records: everything the system shows, writes to the ledger or exports is made of these and nothing else.

Frozen, with enumerations, bounded numbers, ids of our own and digests. The field names are the wire contract's.
"""
