"""Money in, for staff: deposits, refunds, disputes, and what lies in suspense."""
