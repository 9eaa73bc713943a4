"""What gateways are put before: a backend in C++ that does next to nothing for a call."""
