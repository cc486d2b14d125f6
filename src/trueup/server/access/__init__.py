"""Who may do what: Argo CD's policies, decided, explained and checked."""
