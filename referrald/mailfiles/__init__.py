"""Mail in files as other programs keep it: mbox and Maildir, read and written."""
