"""Background work, for staff: jobs and mails, what became of them, and another try for those that gave up."""
