"""How differently a model treats groups: pure functions of counts."""
