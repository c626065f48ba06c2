pytest_plugins = ["unison_engine.testing.fixtures"]
