"""Messages as bytes: taken apart, and described as IMAP does. Pure, and tolerant of real mail."""
