"""What to write into `OUTRIDER_ROUTES`, told from an OpenAPI document or from a sample of a call."""
