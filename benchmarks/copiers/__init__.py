"""The clients that are measured, each a program: main's executions in, one order for each mirror out.

The stock copiers do the least that copies: no view, no plan, no limits, no journal, no ids of their own.
"""
