"""Who is it: credential checkers, password schemes, SASL."""
