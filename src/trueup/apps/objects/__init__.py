"""What people see of and do with single objects of an App, the same in whichever cluster they live."""
