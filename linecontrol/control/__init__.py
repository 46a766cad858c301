"""Control: PID, loops and what they stand on. Pure: time and samples are passed in, commands are passed out."""
