"""One suite for every connector: the same questions, answered by a case file for each provider."""
