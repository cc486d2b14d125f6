"""Config-management plugins: other people's commands that make manifests, run apart from everything else."""
