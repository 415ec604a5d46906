"""What stands behind `./run`: the installation, the embedded servers, and the supervisor of all processes."""
