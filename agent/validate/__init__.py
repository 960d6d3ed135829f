"""The batch against the profile's schema."""
