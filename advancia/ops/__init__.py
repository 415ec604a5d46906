"""Running the product: health, backups, and the supervisor behind `./run`."""
