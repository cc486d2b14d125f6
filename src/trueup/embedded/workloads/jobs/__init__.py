"""Jobs and CronJobs: pods that end, and Jobs that begin by the clock."""
