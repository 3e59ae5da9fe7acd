"""Has no main."""
