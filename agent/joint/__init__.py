"""What columns say together: arrays in, arrays out; used on training data and on traffic alike."""
