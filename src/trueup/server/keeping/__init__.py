"""What administrators look after: projects, repositories, clusters, settings, the audit log."""
