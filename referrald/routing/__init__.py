"""Where does a user live, and what is done about it."""
