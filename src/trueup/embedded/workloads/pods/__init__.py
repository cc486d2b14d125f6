"""Simulated pods: a scheduler that places them and a kubelet that runs nothing but says what a real one would say."""
