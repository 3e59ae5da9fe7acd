"""Client of Pratai: ``client`` speaks HTTP, ``shell`` and ``commands`` are the command line."""
