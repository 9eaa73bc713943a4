"""Five small gRPC services to try the gateway on: users, orders, positions, market data and wallets.

They know nothing of the gateway: any backend with server reflection could stand in their place.
"""
