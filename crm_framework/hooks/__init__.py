"""The plugin host: what a plugin may declare and implement, how plugins are found and called."""
