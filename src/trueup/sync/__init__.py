"""The engine. Pure: normalise, order, plan, inventory, health, drift. Shell: execute a plan through an Applier."""
