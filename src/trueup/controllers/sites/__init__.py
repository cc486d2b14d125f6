"""Sites: one target cluster each, with all that the App loop needs of it. The controller's own cluster is the first one."""
