"""Where records live: ``base`` says what a store must do, the other modules do it."""
