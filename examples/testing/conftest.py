pytest_plugins = ["trueup.testing.plugin"]
