"""What providers have told us, for staff: each event with its tries, to be replayed or parked."""
