"""Cases that the official tools and our engines both carry out. To add one, add a file: `cases.Case` says what may stand in it."""
