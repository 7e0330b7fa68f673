"""A MADE-UP INTERNET FOR TRYING: customers' zones on loopback."""
