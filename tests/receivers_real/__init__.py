"""What we send, before receivers, verifiers and schemas that other people wrote. They are installed for a session."""
