// Style as a test.
