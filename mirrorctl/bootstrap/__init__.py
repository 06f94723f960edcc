"""The composition root: a profile becomes running parts. The only place where engine, edge, store and paper meet."""
