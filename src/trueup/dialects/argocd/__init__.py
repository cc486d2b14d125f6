"""Argo CD's resources: Application and AppProject, `argoproj.io/v1alpha1`. Facts: argo-cd's API types and documents."""
