"""The database: the only place with SQL, and the only truth about meetings.

Every function takes an open connection and does its work in the caller's transaction; nothing here keeps state.
Everything that decides uses the database's clock.
"""
