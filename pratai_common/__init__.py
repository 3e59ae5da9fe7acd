"""What two or more services need, and nothing else. README.md says why each module is here."""
