"""Proof, as pure functions: the Merkle tree over the ledger, signed checkpoints, and the verifier that auditors run."""
