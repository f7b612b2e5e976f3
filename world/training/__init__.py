"""The training of `mini`: curriculum, rows, objective, optimizer, logs.

Never: what the package itself needs when it runs.
"""
