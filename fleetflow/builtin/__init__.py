"""The built-in plugins: each a module of hook implementations, registered like everybody else's."""
