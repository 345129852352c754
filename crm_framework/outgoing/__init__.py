"""What leaves this machine over HTTP: where it may go to, how it is signed, and the sending itself."""
